"""Apache Kafka's command line tools, for the tests that hold our files against them.

`python -m tests.impl.kafka_tools` fetches what they need with Maven, once; until then those tests
are skipped. A Kafka in KAFKA_HOME has them with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from conformance.targets.apache_kafka import LOG_OPTIONS, cache, find

# The newest release that is published with its tools, which need not be the newest of all.
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerspec</groupId>
  <artifactId>apache-kafka-tools</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>[4.0,5.0)</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
MAVEN = ("mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies")
VIRTUAL_MACHINE = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PATIENCE_S = 120.0


def _folder() -> Path:
    return cache() / "apache-kafka" / "tools"


def class_path() -> str | None:
    """None if something is missing."""
    if shutil.which("java") is None:
        return None
    if home := os.environ.get("KAFKA_HOME"):
        return str(Path(home) / "libs" / "*")
    folder = _folder() / "jars"
    return str(folder / "*") if folder.is_dir() else None


def fetch() -> None:
    if class_path() is not None:
        return
    find("java", "Java 17 or newer")
    find("mvn", "Maven (or KAFKA_HOME)")
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(POM)
    draft = folder / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    options = ("-DincludeScope=runtime", f"-DoutputDirectory={draft}")
    subprocess.run([*MAVEN, *options], cwd=folder, check=True)
    draft.rename(folder / "jars")


def command(tool: str, *arguments: str) -> list[str]:
    """`tool` is its class."""
    java = ("java", *VIRTUAL_MACHINE, *LOG_OPTIONS, "-cp", class_path() or "")
    return [*java, f"org.apache.kafka.tools.{tool}", *arguments]


def run(tool: str, *arguments: str) -> tuple[str, str]:
    """What one of the tools prints, and what it complains of. A tool that fails is a failure."""
    done = subprocess.run(
        [
            "java",
            *VIRTUAL_MACHINE,
            *LOG_OPTIONS,
            "-cp",
            class_path() or "",
            f"org.apache.kafka.tools.{tool}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout, done.stderr


def dump(files: Iterable[Path], *options: str) -> tuple[str, str]:
    """What `kafka-dump-log` prints, and what it complains of."""
    return run("DumpLogSegments", "--files", ",".join(map(str, files)), *options)


if __name__ == "__main__":
    fetch()
