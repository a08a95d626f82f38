// Apache Kafka's own generated classes write the messages of the table: see README.md.
//
// Input, one message a line: name, version, bytes in hex that hold it. Output, a line for each:
// name, version, the bytes of a message of defaults, the bytes of the one that was read, and
// what was read as JSON. A minus stands for what the class refuses to write.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class ApacheKafka {
    static final List<String> PACKAGES = List.of(
        "org.apache.kafka.common.message.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.raft.generated.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.");

    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", 3);
            short version = Short.parseShort(words[1]);
            Class<?> type = find(words[0]);
            var defaults = (Message) type.getConstructor().newInstance();
            var read = (Message) type.getConstructor().newInstance();
            ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(words[2]));
            read.read(new ByteBufferAccessor(bytes), version);
            if (bytes.hasRemaining()) throw new IllegalStateException(line);
            Object json = Class.forName(type.getName() + "JsonConverter")
                .getMethod("write", type, short.class, boolean.class)
                .invoke(null, read, version, false);
            System.out.println(String.join(" ", words[0], words[1],
                written(defaults, version), written(read, version), json.toString()));
        }
    }

    static Class<?> find(String name) throws ClassNotFoundException {
        for (String prefix : PACKAGES) {
            for (String suffix : List.of("Data", "")) {
                try {
                    return Class.forName(prefix + name + suffix);
                } catch (ClassNotFoundException next) {
                    continue;
                }
            }
        }
        throw new ClassNotFoundException(name);
    }

    static String written(Message message, short version) {
        try {
            var cache = new ObjectSerializationCache();
            var bytes = new ByteBufferAccessor(ByteBuffer.allocate(message.size(cache, version)));
            message.write(bytes, cache, version);
            String hex = HexFormat.of().formatHex(bytes.buffer().array());
            return hex.isEmpty() ? "empty" : hex;
        } catch (RuntimeException refused) {
            return "-";
        }
    }
}
