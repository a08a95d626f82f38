"""Apache Kafka: nodes that are broker and controller in one, with their data in fresh folders.

The jars come from KAFKA_HOME, or from Maven once per version, into the cache of the user. Times
are short so that the suite need not wait.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from conformance.broker import TargetError
from conformance.targets.nodes import CLUSTER_ID, NODES_CAN, Nodes
from conformance.targets.target import Profile

NEWEST = "[4.0,5.0)"
MAVEN_TIMEOUT_S = 900.0
FORMAT_TIMEOUT_S = 60.0
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOG_OPTIONS = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)
DOWNLOAD = ("--batch-mode", "--quiet", "dependency:copy-dependencies")

FAST = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "1000",
    "log.initial.task.delay.ms": "200",
    "log.retention.check.interval.ms": "200",
    "log.cleaner.backoff.ms": "200",
    "log.segment.delete.delay.ms": "200",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "10000",
    "num.io.threads": "4",
    "num.network.threads": "2",
}

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerspec</groupId>
  <artifactId>apache-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


class ApacheKafka(Nodes):
    """`kafka.Kafka` on Java. `version` is that of the jars to fetch; None takes the newest 4.x."""

    program_settings = FAST
    java_options: tuple[str, ...] = JAVA_OPTIONS

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        count: int = 1,
        version: str | None = None,
    ) -> None:
        super().__init__(settings, count)
        self._java = find("java", "Java 17 or newer")
        self._jars = jars(version)
        self.profile = Profile(
            name="apache-kafka",
            version=version_of(self._jars),
            capabilities=NODES_CAN,
        )
        self._asked_version = version

    @property
    def selector(self) -> list[str]:
        kind, name, *rest = super().selector
        return [kind, name + (f":{self._asked_version}" if self._asked_version else ""), *rest]

    def under(self, settings: Mapping[str, str], nodes: int = 1) -> "ApacheKafka":
        return ApacheKafka(settings, nodes, self._asked_version)

    def prepare(self, properties: Path) -> None:
        format_storage([*self._virtual_machine(), "kafka.tools.StorageTool"], properties)

    def node_command(self, properties: Path) -> list[str]:
        return [*self._virtual_machine(), "kafka.Kafka", str(properties)]

    def _virtual_machine(self) -> list[str]:
        return [self._java, *self.java_options, *LOG_OPTIONS, "-cp", str(self._jars / "*")]


def format_storage(tool: list[str], properties: Path) -> None:
    """Lay out the data folder, which Kafka does not do when it starts."""
    command = [*tool, "format", "--cluster-id", CLUSTER_ID, "--config", str(properties)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=FORMAT_TIMEOUT_S, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise TargetError(f"apache-kafka: its storage cannot be formatted: {' '.join(last)}")


def jars(version: str | None) -> Path:
    """The folder with Kafka's jars: KAFKA_HOME/libs, or the cache, which Maven fills once."""
    home = os.environ.get("KAFKA_HOME")
    if home and version is None:
        folder = Path(home) / "libs"
        if not any(folder.glob("kafka_2.13-*.jar")):
            raise TargetError(f"apache-kafka: there is no kafka_2.13-*.jar in {folder}.")
        return folder
    folder = cache() / "apache-kafka" / (version or "newest")
    if not (folder / "jars").is_dir():
        download(version or NEWEST, folder)
    return folder / "jars"


def download(version: str, folder: Path) -> None:
    """Let Maven copy Kafka and what it needs into `folder/jars`, or nothing at all."""
    maven = find("mvn", "Maven (or KAFKA_HOME)")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(POM.format(version=version))
    draft = folder / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    command = [maven, *DOWNLOAD, "-DincludeScope=runtime", f"-DoutputDirectory={draft}"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=MAVEN_TIMEOUT_S, check=False
    )
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
        raise TargetError(f"apache-kafka: Maven found no Kafka {version}: {' '.join(errors[:1])}")
    draft.rename(folder / "jars")


def cache() -> Path:
    """The folder of this suite under the XDG cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brokerspec"


def version_of(folder: Path) -> str:
    """The version of Kafka, from the name of its jar."""
    names = sorted(path.name for path in folder.glob("kafka_2.13-*.jar"))
    match = re.fullmatch(r"kafka_2\.13-(\d[\w.-]*?)(-test)?\.jar", names[0])
    return match[1] if match else "unknown"


def find(program: str, what: str) -> str:
    """The path of a program, or TargetError in one line."""
    path = shutil.which(program)
    if path is None:
        raise TargetError(f"apache-kafka needs {what}: there is no {program} on the PATH.")
    return path
