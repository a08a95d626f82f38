/* Replication with KIP-320 fencing, explored by hand-written C: the bound for generated kernels.

   The same protocol as model/areas/replication.py, with all that a person can do once: what follows
   from other fields is not stored (a replica's leader is the one of its notice, the controller's
   is that of the last notice, the length of a log is where it becomes empty), so that a state is
   one word at small bounds; the table holds the states themselves. One thread, breadth first, with
   parents; the two claims about committed records are checked in every state.

   cc -O3 -march=native -DBROKERS=3 -DLOG=2 -DRECORDS=2 -DEPOCHS=3 explorer.c
   (EPOCHS counts them: one more than max_leader_epoch.) It prints: distinct, generated, depth,
   violations of the one and of the other claim, seconds, bytes.
*/

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BITS(most) (32 - __builtin_clz(most))
enum {
    EPOCH = BITS(EPOCHS),              /* 0 for none, else 1 + epoch */
    RECORD = BITS(RECORDS * EPOCHS),   /* 0 for none, else 1 + identity * EPOCHS + epoch */
    OFFSET = BITS(LOG),
    LEADER = BITS(BROKERS),            /* BROKERS for none */
    IDENTITY = BITS(RECORDS),
    /* A replica, from its lowest bit. */
    ISR_AT = 0, WATERMARK_AT = BROKERS, EPOCH_AT = WATERMARK_AT + OFFSET,
    LOG_AT = EPOCH_AT + EPOCH, REPLICA = LOG_AT + LOG * RECORD,
    /* A notice, and what follows the replicas and the notices. */
    NOTICE = LEADER + BROKERS, NOTICES_AT = BROKERS * REPLICA,
    QUORUM_AT = NOTICES_AT + EPOCHS * NOTICE, NEXT_EPOCH_AT = QUORUM_AT + BROKERS,
    NEXT_RECORD_AT = NEXT_EPOCH_AT + EPOCH, ALL_BITS = NEXT_RECORD_AT + IDENTITY,
    EVERYBODY = (1 << BROKERS) - 1, NOBODY = BROKERS, BATCH = 64, MOST_STEPS = 128
};

#ifdef WIDE
typedef unsigned __int128 State;
#else
typedef uint64_t State;
_Static_assert(ALL_BITS <= 64, "give -DWIDE");
#endif

#define ONES(bits) (((State)1 << (bits)) - 1)
#define PART(state, at, bits) ((unsigned)((state) >> (at)) & (unsigned)ONES(bits))

typedef struct {
    unsigned isr, watermark, epoch, log, length, leader;
} Replica;

typedef struct {
    State packed;
    Replica replica[BROKERS];
    unsigned notice_leader[EPOCHS], notice_isr[EPOCHS], quorum_isr, leader, next_epoch, next_record;
} Unpacked;

static inline unsigned record_at(unsigned log, unsigned offset) {
    return log >> offset * RECORD & ((1u << RECORD) - 1);
}

static inline unsigned epoch_of(unsigned record) {
    return (record - 1) % EPOCHS;
}

static inline unsigned below(unsigned log, unsigned end) {
    return log & (unsigned)ONES(end * RECORD);
}

static inline unsigned lesser(unsigned a, unsigned b) {
    return a < b ? a : b;
}

static void unpack(State state, Unpacked *u) {
    u->packed = state;
    for (int e = 0; e < EPOCHS; e++) {
        u->notice_isr[e] = PART(state, NOTICES_AT + e * NOTICE, BROKERS);
        u->notice_leader[e] = PART(state, NOTICES_AT + e * NOTICE + BROKERS, LEADER);
    }
    u->quorum_isr = PART(state, QUORUM_AT, BROKERS);
    u->next_epoch = PART(state, NEXT_EPOCH_AT, EPOCH);
    u->next_record = PART(state, NEXT_RECORD_AT, IDENTITY);
    u->leader = u->next_epoch ? u->notice_leader[u->next_epoch - 1] : NOBODY;
    for (int b = 0; b < BROKERS; b++) {
        Replica *r = &u->replica[b];
        State own = state >> b * REPLICA;
        r->isr = PART(own, ISR_AT, BROKERS);
        r->watermark = PART(own, WATERMARK_AT, OFFSET);
        r->epoch = PART(own, EPOCH_AT, EPOCH);
        r->log = PART(own, LOG_AT, LOG * RECORD);
        r->length = r->log ? (unsigned)(BITS(r->log) + RECORD - 1) / RECORD : 0;
        r->leader = r->epoch ? u->notice_leader[r->epoch - 1] : NOBODY;
    }
}

static inline State replica_with(const Unpacked *u, int b, Replica r) {
    State own = (State)r.isr << ISR_AT | (State)r.watermark << WATERMARK_AT |
                (State)r.epoch << EPOCH_AT | (State)r.log << LOG_AT;
    return (u->packed & ~(ONES(REPLICA) << b * REPLICA)) | own << b * REPLICA;
}

/* A state in which the controller has decided on a leader and an ISR. */
static inline State decided(const Unpacked *u, unsigned leader, unsigned isr) {
    State kept = u->packed & ~(ONES(BROKERS) << QUORUM_AT) & ~(ONES(EPOCH) << NEXT_EPOCH_AT);
    State notice = (State)(isr | leader << BROKERS) << (NOTICES_AT + u->next_epoch * NOTICE);
    return kept | notice | (State)isr << QUORUM_AT | (State)(u->next_epoch + 1) << NEXT_EPOCH_AT;
}

static inline State isr_changed(const Unpacked *u, int leader, unsigned isr) {
    Replica r = u->replica[leader];
    r.isr = isr;
    return (replica_with(u, leader, r) & ~(ONES(BROKERS) << QUORUM_AT)) | (State)isr << QUORUM_AT;
}

static inline int follows(const Unpacked *u, int follower, int leader) {
    const Replica *f = &u->replica[follower], *l = &u->replica[leader];
    return (l->leader == (unsigned)leader) & (f->leader == (unsigned)leader) &
           (f->epoch == l->epoch);
}

static unsigned end_of_common_log(const Replica *one, const Replica *other) {
    unsigned differs = one->log ^ other->log, end = lesser(one->length, other->length);
    while (end && record_at(differs, end - 1)) end--;
    return end;
}

/* Which of the two claims is broken: bit 0 for the ISR of the leader, bit 1 for the controller's. */
static inline int broken(const Unpacked *u) {
    int found = 0;
    for (int b = 0; b < BROKERS; b++) {
        const Replica *leader = &u->replica[b];
        if (leader->leader != (unsigned)b || !leader->watermark) continue;
        unsigned wanted = below(leader->log, leader->watermark), without = 0;
        for (int m = 0; m < BROKERS; m++) {
            int has = below(u->replica[m].log, leader->watermark) == wanted;
            without |= (unsigned)!(has & (leader->length >= leader->watermark)) << m;
        }
        found |= (without & leader->isr ? 1 : 0) | (without & u->quorum_isr ? 2 : 0);
    }
    return found;
}

static int controller_steps(const Unpacked *u, State *to) {
    int n = 0;
    if (u->next_epoch == EPOCHS) return 0;
    for (unsigned b = 0; b < BROKERS; b++) {
        unsigned member = u->quorum_isr >> b & 1, led = u->leader == b;
        unsigned smaller = u->quorum_isr & ~(1u << b);
        if (member && !led) to[n++] = decided(u, b, u->quorum_isr);
        if (led) to[n++] = decided(u, NOBODY, smaller ? smaller : u->quorum_isr);
        else if (member) to[n++] = decided(u, u->leader, smaller);
    }
    return n;
}

static int notice_steps(const Unpacked *u, State *to) {
    int n = 0;
    for (unsigned e = 0; e < u->next_epoch; e++) {
        unsigned leader = u->notice_leader[e];
        if (leader == NOBODY) continue;
        const Replica *led = &u->replica[leader];
        if (led->epoch < e + 1) {
            Replica r = *led;
            r.epoch = e + 1;
            r.isr = u->notice_isr[e];
            to[n++] = replica_with(u, leader, r);
        } else if (led->epoch == e + 1) {
            for (unsigned b = 0; b < BROKERS; b++) {
                Replica r = u->replica[b];
                if (b == leader || r.epoch >= e + 1) continue;
                unsigned end = end_of_common_log(led, &r);
                r.watermark = lesser(r.watermark, end);
                r.log = below(r.log, end);
                r.epoch = e + 1;
                r.isr = u->notice_isr[e];
                to[n++] = replica_with(u, b, r);
            }
        }
    }
    return n;
}

static int isr_steps(const Unpacked *u, int leader, State *to) {
    const Replica *me = &u->replica[leader];
    int n = 0, own_epoch = me->watermark == me->length;
    if (u->leader != (unsigned)leader || me->epoch != u->next_epoch) return 0;
    if (me->watermark < me->length)
        own_epoch = epoch_of(record_at(me->log, me->watermark)) + 1 == me->epoch;
    for (int b = 0; b < BROKERS; b++) {
        int member = me->isr >> b & 1, same = follows(u, b, leader);
        unsigned length = u->replica[b].length;
        State changed = isr_changed(u, leader, me->isr ^ 1u << b);
        if (!member && same && length >= me->watermark && own_epoch) to[n++] = changed;
        if (member && b != leader && !same) to[n++] = changed;
        if (member && b != leader && length < me->length) to[n++] = changed;
    }
    return n;
}

static int leader_steps(const Unpacked *u, int leader, State *to) {
    const Replica *me = &u->replica[leader];
    int n = 0, ready = me->watermark < me->length;
    if (u->next_record < RECORDS && me->length < LOG) {
        Replica r = *me;
        r.log |= (1 + u->next_record * EPOCHS + me->epoch - 1) << me->length * RECORD;
        to[n++] = replica_with(u, leader, r) + ((State)1 << NEXT_RECORD_AT);
    }
    for (int b = 0; b < BROKERS; b++) {
        Replica r = u->replica[b];
        int same = follows(u, b, leader);
        if (me->isr >> b & 1) ready &= same & (me->watermark < r.length);
        if (b == leader || !same || r.length >= me->length) continue;
        r.log |= record_at(me->log, r.length) << r.length * RECORD;
        r.watermark = lesser(me->watermark, ++r.length);
        to[n++] = replica_with(u, b, r);
    }
    if (ready) {
        Replica r = *me;
        r.watermark++;
        to[n++] = replica_with(u, leader, r);
    }
    return n + isr_steps(u, leader, to + n);
}

static int successors(State state, State *to, int *violated) {
    Unpacked u;
    unpack(state, &u);
    *violated = broken(&u);
    int n = controller_steps(&u, to);
    n += notice_steps(&u, to + n);
    for (int b = 0; b < BROKERS; b++)
        if (u.replica[b].leader == (unsigned)b) n += leader_steps(&u, b, to + n);
    return n;
}

/* The table, which no state that is 0 is put into: its initial one has everybody in the ISR. */

static State *table;
static int table_bits = 16; /* with room for a batch whenever it is not too full */

static void *zeroed(uint64_t bytes) {
    void *found = mmap(0, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) exit(1);
    madvise(found, bytes, MADV_HUGEPAGE);
    return found;
}

static inline uint64_t hash_of(State state) {
    uint64_t hash = (uint64_t)state;
#ifdef WIDE
    hash ^= (uint64_t)(state >> 64) * 0xC2B2AE3D27D4EB4Full;
#endif
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15ull;
    return (hash ^ hash >> 29) * 0xD6E8FEB86659FD93ull;
}

static inline int put(State state, uint64_t hash) {
    uint64_t place = hash >> (64 - table_bits);
    for (; table[place]; place = (place + 1) & (((uint64_t)1 << table_bits) - 1))
        if (table[place] == state) return 0;
    table[place] = state;
    return 1;
}

static void double_table(void) {
    State *smaller = table;
    uint64_t count = (uint64_t)1 << table_bits++;
    table = zeroed(2 * count * sizeof *table);
    for (uint64_t i = 0; i < count; i++)
        if (smaller[i]) put(smaller[i], hash_of(smaller[i]));
    munmap(smaller, count * sizeof *smaller);
}

int main(void) {
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    State *queue = zeroed(((uint64_t)1 << 32) * sizeof *queue);
    uint32_t *parent = zeroed(((uint64_t)1 << 32) * sizeof *parent);
    table = zeroed(sizeof *table << table_bits);
    static State to[BATCH * MOST_STEPS];
    static uint64_t hash[BATCH * MOST_STEPS];
    static uint32_t from[BATCH * MOST_STEPS];
    uint64_t distinct = 1, generated = 1, depth = 0, weak = 0, strong = 0;
    queue[0] = (State)EVERYBODY << QUORUM_AT;
    put(queue[0], hash_of(queue[0]));
    for (uint64_t at = 0, level_end = 0; at < distinct;) {
        if (at == level_end) {
            level_end = distinct;
            depth++;
        }
        uint64_t end = level_end - at < BATCH ? level_end : at + BATCH;
        int n = 0;
        for (; at < end; at++) {
            int violated, more = successors(queue[at], to + n, &violated);
            weak += violated & 1;
            strong += violated >> 1;
            for (int last = n + more; n < last; n++) {
                hash[n] = hash_of(to[n]);
                from[n] = (uint32_t)at;
                __builtin_prefetch(&table[hash[n] >> (64 - table_bits)], 1);
            }
        }
        generated += n;
        for (int i = 0; i < n; i++) {
            if (!put(to[i], hash[i])) continue;
            parent[distinct] = from[i];
            queue[distinct++] = to[i];
        }
        if (distinct * 10 > (uint64_t)7 << table_bits) double_table();
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = ended.tv_sec - began.tv_sec + 1e-9 * (ended.tv_nsec - began.tv_nsec);
    uint64_t bytes = distinct * (sizeof *queue + sizeof *parent) + (sizeof *table << table_bits);
    printf("%llu %llu %llu %llu %llu %.6f %llu\n", (unsigned long long)distinct,
           (unsigned long long)generated, (unsigned long long)depth, (unsigned long long)weak,
           (unsigned long long)strong, seconds, (unsigned long long)bytes);
    return 0;
}
