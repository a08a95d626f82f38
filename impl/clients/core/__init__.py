"""What clients decide, sans-IO: requests and completions come out, answers and the time go in."""
