// Hit ratios of Caffeine on a trace, and what a cache of it takes; the same command line as bench/compare's `hitratio`.
//   java -cp caffeine.jar CaffeineReplay.java (KEYS | --bytes) N,N,...
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;

public final class CaffeineReplay {
  private static final int VALUE_BYTES = 100;
  private static final int MEASURED_ROUNDS = 3;
  // As in bench/compare's `hitratio`.
  private static final int MEASURED_ENTRIES = 100_000;
  private static final int REQUESTS_PER_ENTRY = 6;
  private static final int KEYS_PER_ENTRY = 4;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("--bytes")) {
      for (var capacity : args[1].split(",")) {
        measure(Integer.parseInt(capacity));
      }
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

  // What is reachable, not what the heap has taken from the system: to Caffeine's favour. Small caches many at a time, and
  // by what is gone when they are, the least of some rounds: the launcher's own garbage goes at any time.
  private static void measure(int capacity) throws Exception {
    var caches = new Object[Math.max(1, MEASURED_ENTRIES / capacity)];
    long least = Long.MAX_VALUE;
    for (int round = 0; round < MEASURED_ROUNDS; round++) {
      for (int at = 0; at < caches.length; at++) {
        caches[at] = full(capacity);
      }
      long with = used();
      Arrays.fill(caches, null);
      least = Math.min(least, with - used());
    }
    System.out.printf("{\"capacity\":%d,\"bytes\":%d}%n", capacity, least / caches.length);
  }

  // A cache whose entries have been replaced for a while.
  private static Cache<Long, byte[]> full(int capacity) {
    Cache<Long, byte[]> cache = open(capacity);
    var random = new SplittableRandom(1);
    for (long request = 0; request < (long) REQUESTS_PER_ENTRY * capacity; request++) {
      long key = random.nextLong((long) KEYS_PER_ENTRY * capacity);
      if (cache.getIfPresent(key) == null) {
        cache.put(key, new byte[VALUE_BYTES]);
      }
    }
    cache.cleanUp();
    return cache;
  }

  private static long used() throws Exception {
    for (int round = 0; round < 3; round++) {
      System.gc();
      Thread.sleep(20);
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
