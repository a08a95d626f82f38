/* The store of reached states: a table of full keys in shards, and what is known by position.

   An entry of a table has 32 bits of hash, and the number of its state in the shard plus one; what
   is compared in the end is the state itself. The place of an entry are the top bits of the hash,
   so a table grows in one pass over itself.
*/

#include <pthread.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define KNOWN UINT32_MAX
#define MOST_SHARDS 64
#define MOST_STATES (UINT32_MAX - 1ull)

enum { FINE, NO_MEMORY, TOO_MANY, TOO_SMALL };

typedef struct {
    uint64_t *entry, *keys;
    uint64_t count, room; /* of states */
    uint32_t bits;
} Shard;

typedef struct {
    Reached *reached;
    uint32_t count, room;
    uint32_t *mine[MOST_SHARDS]; /* numbers in `reached`, by shard */
    uint32_t mine_count[MOST_SHARDS];
    uint32_t new_count[MOST_SHARDS];
    uint64_t fired[STEPS + 1];
    uint64_t found[WATCHED + 1];
    uint64_t deadlock, too_small_at, too_small_step;
} Worker;

typedef struct {
    uint64_t distinct, generated, depth, expanded, level_end, deadlock;
    uint64_t too_small_at, too_small_step;
    uint64_t found[WATCHED + 1];
    uint64_t fired[STEPS + 1];
    /* What follows is not read from outside. */
    uint32_t *order, *parents; /* by position: number in a shard and that shard; the parent */
    uint64_t room;
    uint32_t shards, shard_bits;
    Shard shard[MOST_SHARDS];
    Worker worker[MOST_SHARDS];
    uint64_t chunk_begin, chunk_end, region_end, numbered;
    uint32_t active;
    pthread_mutex_t lock;
    pthread_cond_t met;
    atomic_uint waiting, round;
    atomic_int failure; /* becomes `trouble` when all threads meet, so that all see it at once */
    int trouble;
} Store;

#define NOWHERE UINT64_MAX

/* Memory that is zero and takes nothing until it is touched. */

static void *fresh(uint64_t bytes) {
#ifdef __linux__
    void *found = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return 0;
    if (bytes >= 1 << 22) madvise(found, bytes, MADV_HUGEPAGE);
    return found;
#else
    return calloc(1, bytes);
#endif
}

static void give_back(void *memory, uint64_t bytes) {
#ifdef __linux__
    if (memory) munmap(memory, bytes);
#else
    free(memory);
#endif
}

static void *enlarged(void *memory, uint64_t before, uint64_t after) {
    if (!memory) return fresh(after);
#ifdef __linux__
    void *found = mremap(memory, before, after, MREMAP_MAYMOVE);
    if (found == MAP_FAILED) return 0;
    if (after >= 1 << 22) madvise(found, after, MADV_HUGEPAGE);
    return found;
#else
    return realloc(memory, after);
#endif
}

/* The shards. */

static inline uint64_t hash_of(const uint64_t *key) {
    uint64_t hash = key[0] ^ key[0] >> 32;
    hash *= 0x9E3779B97F4A7C15ull;
    for (int word = 1; word < WORDS; word++) {
        hash ^= hash >> 29;
        hash = (hash ^ key[word]) * 0xC2B2AE3D27D4EB4Full;
    }
    hash ^= hash >> 32;
    return hash * 0xD6E8FEB86659FD93ull;
}

static inline uint32_t shard_of(uint64_t hash, uint32_t shards) {
    return (uint32_t)((hash & UINT32_MAX) * shards >> 32);
}

static inline uint64_t place_of(const Shard *shard, uint32_t hash) {
    return (uint64_t)hash >> (32 - shard->bits);
}

static inline int same(const uint64_t *one, const uint64_t *other) {
    uint64_t differs = 0;
    for (int word = 0; word < WORDS; word++) differs |= one[word] ^ other[word];
    return !differs;
}

static int enlarge_table(Shard *shard, uint32_t bits) {
    uint64_t *entry = fresh(8ull << bits);
    if (!entry) return NO_MEMORY;
    uint64_t before = shard->entry ? 1ull << shard->bits : 0;
    uint64_t *smaller = shard->entry;
    shard->entry = entry;
    shard->bits = bits;
    for (uint64_t i = 0; i < before; i++) {
        if (!smaller[i]) continue;
        uint64_t place = place_of(shard, smaller[i] >> 32);
        while (entry[place]) place = (place + 1) & ((1ull << bits) - 1);
        entry[place] = smaller[i];
    }
    give_back(smaller, 8 * before);
    return FINE;
}

static uint64_t larger_room(uint64_t room, uint64_t wanted) {
    room += room / 2;
    return room < wanted ? wanted : room < 4096 ? 4096 : room;
}

static int make_room(Shard *shard, uint64_t more) {
    uint64_t wanted = shard->count + more;
    uint32_t bits = shard->bits ? shard->bits : 12;
    while (bits < 32 && wanted * 4 > (3ull << bits)) bits++;
    if (bits != shard->bits && enlarge_table(shard, bits)) return NO_MEMORY;
    if (wanted <= shard->room) return FINE;
    uint64_t room = larger_room(shard->room, wanted);
    void *keys = enlarged(shard->keys, 8 * WORDS * shard->room, 8 * WORDS * room);
    if (!keys) return NO_MEMORY;
    shard->keys = keys;
    shard->room = room;
    return FINE;
}

/* The states in breadth-first order. */

static inline const uint64_t *state_at(const Store *store, uint64_t position) {
    uint32_t order = store->order[position];
    const Shard *shard = &store->shard[order & ((1u << store->shard_bits) - 1)];
    return shard->keys + (uint64_t)(order >> store->shard_bits) * WORDS;
}

static int room_for_order(Store *store, uint64_t wanted) {
    if (wanted <= store->room) return FINE;
    uint64_t room = larger_room(store->room, wanted);
    void *order = enlarged(store->order, 4 * store->room, 4 * room);
    if (!order) return NO_MEMORY;
    store->order = order;
    void *parents = enlarged(store->parents, 4 * store->room, 4 * room);
    if (!parents) return NO_MEMORY;
    store->parents = parents;
    store->room = room;
    return FINE;
}
