"""The brokers that the suite can start, each as any third party would start it."""
