// Hit ratios of Caffeine on a trace, and what an entry of it takes; the same command line as bench/compare's `hitratio`.
//   java -cp caffeine.jar CaffeineReplay.java (KEYS N,N,... | --bytes ENTRIES)
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

public final class CaffeineReplay {
  private static final int VALUE_BYTES = 100;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("--bytes")) {
      measure(Integer.parseInt(args[1]));
      return;
    }
    var keys = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[0]))).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
    for (var capacity : args[1].split(",")) {
      replay(keys, Long.parseLong(capacity));
    }
  }

  // On the caller's thread alone, so that every run gives nearly the same.
  private static <V> Cache<Long, V> open(long entries) {
    return Caffeine.newBuilder().maximumSize(entries).executor(Runnable::run).build();
  }

  private static void replay(java.nio.LongBuffer keys, long capacity) {
    Cache<Long, Boolean> cache = open(capacity);
    long hits = 0;
    for (int at = 0; at < keys.limit(); at++) {
      long key = keys.get(at);
      if (cache.getIfPresent(key) == null) {
        cache.put(key, Boolean.TRUE);
      } else {
        hits++;
      }
    }
    System.out.printf("{\"capacity\":%d,\"requests\":%d,\"hits\":%d}%n", capacity, keys.limit(), hits);
  }

  // What is reachable, not what the heap has taken from the system: to Caffeine's favour.
  private static void measure(int entries) throws Exception {
    long before = used();
    Cache<Long, byte[]> cache = open(entries + entries / 8);
    for (long key = 0; key < entries; key++) {
      cache.put(key, new byte[VALUE_BYTES]);
    }
    cache.cleanUp();
    long after = used();
    System.out.printf("%.1f%n", (after - before) / (double) cache.estimatedSize());
  }

  private static long used() throws Exception {
    for (int round = 0; round < 3; round++) {
      System.gc();
      Thread.sleep(100);
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
