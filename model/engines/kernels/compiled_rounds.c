/* The expansion of a level, by one thread or several.

   A chunk of the level is expanded in three rounds. First each thread makes the successors of its
   part. Then each thread looks up the successors that belong to its shards, in breadth-first
   order, and keeps the new ones. Last, each thread numbers the new states among those it made. So
   the states, their order and their parents do not depend on the number of threads: they are those
   of one thread that expands one state after the other.
*/

#define ALONE 64      /* states in a chunk of one thread */
#ifndef TOGETHER
#define TOGETHER 8192 /* states in a chunk for each of several threads */
#endif
#define TURNS 500     /* looks at the others before a thread that waits for them sleeps */
#define BATCH 128     /* look-ups between a prefetch and its use */

/* First round: successors. */

#if SYMMETRIES
static void put_least(uint64_t least[WORDS][LANES], const uint64_t other[WORDS][LANES], int lane) {
    int word = WORDS - 1;
    while (word && least[word][lane] == other[word][lane]) word--;
    if (other[word][lane] < least[word][lane])
        for (word = 0; word < WORDS; word++) least[word][lane] = other[word][lane];
}

/* The least of its orbit in the place of each state. */
static void canonise(Reached *reached, int count) {
    Group group;
    uint64_t least[WORDS][LANES], other[WORDS][LANES];
    for (int lane = 0; lane < LANES; lane++)
        for (int word = 0; word < WORDS; word++)
            group.word[word][lane] = lane < count ? reached[lane].key[word] : 0;
    memcpy(least, group.word, sizeof least);
    unpack(&group);
    for (int which = 0; which < SYMMETRIES; which++) {
        permute(&group, which, other);
        for (int lane = 0; lane < count; lane++) put_least(least, other, lane);
    }
    for (int lane = 0; lane < count; lane++)
        for (int word = 0; word < WORDS; word++) reached[lane].key[word] = least[word][lane];
}
#endif

static int room_for_reached(Worker *me, uint32_t shards, uint32_t more) {
    if (me->count + more <= me->room) return FINE;
    uint32_t room = 2 * (me->count + more);
    Reached *reached = realloc(me->reached, room * sizeof *reached);
    if (!reached) return NO_MEMORY;
    me->reached = reached;
    for (uint32_t shard = 0; shard < shards; shard++) {
        uint32_t *mine = realloc(me->mine[shard], room * sizeof *mine);
        if (!mine) return NO_MEMORY;
        me->mine[shard] = mine;
    }
    me->room = room;
    return FINE;
}

static void least_of(uint64_t *known, uint64_t position) {
    if (position < *known) *known = position;
}

static void note_misfits(Worker *me, const View *view, uint64_t first) {
    uint64_t at = NOWHERE, which = 0;
    for (int step = 0; step < STEPS; step++) {
        Lanes misfits = view->enabled[step] & view->misfit[step];
        if (misfits && first + __builtin_ctzll(misfits) < at) {
            at = first + __builtin_ctzll(misfits);
            which = step;
        }
    }
    if (at < me->too_small_at) {
        me->too_small_at = at;
        me->too_small_step = which;
    }
}

static int expand_group(Store *store, Worker *me, uint64_t first, int count) {
    Group group;
    View view;
    Lanes valid = count == 64 ? ~0ull : (1ull << count) - 1, alive = 0, misfits = 0;
    uint32_t place[LANES] = {0}, total = 0;
    memset(group.word, 0, sizeof group.word);
    for (int lane = 0; lane < count; lane++) {
        const uint64_t *state = state_at(store, first + lane);
        for (int word = 0; word < WORDS; word++) group.word[word][lane] = state[word];
    }
    unpack(&group);
    look(&group, &view);
    for (int truth = 0; truth < WATCHED; truth++) {
        Lanes holds = view.holds[truth] & valid;
        if (holds) least_of(&me->found[truth], first + __builtin_ctzll(holds));
    }
    for (int step = 0; step < STEPS; step++) {
        Lanes enabled = view.enabled[step] &= valid;
        alive |= enabled;
        misfits |= enabled & view.misfit[step];
        uint32_t number = __builtin_popcountll(enabled);
        me->fired[step] += number;
        total += number;
        for (; enabled; enabled &= enabled - 1) place[__builtin_ctzll(enabled)]++;
    }
    if (misfits) note_misfits(me, &view, first);
    Lanes stuck = valid & ~alive & ~view.may_end;
    if (stuck) least_of(&me->deadlock, first + __builtin_ctzll(stuck));
    if (room_for_reached(me, store->shards, total)) return NO_MEMORY;
    uint32_t next = me->count;
    for (int lane = 0; lane < LANES; lane++) {
        uint32_t number = place[lane];
        place[lane] = next;
        next += number;
    }
    emit(&group, view.enabled, place, me->reached, (uint32_t)first);
#if SYMMETRIES
    for (uint32_t from = me->count; from < next; from += LANES)
        canonise(me->reached + from, next - from < LANES ? (int)(next - from) : LANES);
#endif
    for (uint32_t i = me->count; i < next; i++) {
        Reached *reached = &me->reached[i];
        uint64_t hash = hash_of(reached->key);
        uint32_t shard = shard_of(hash, store->shards);
        reached->hash = hash >> 32;
        reached->shard = shard;
        me->mine[shard][me->mine_count[shard]++] = i;
    }
    me->count = next;
    return FINE;
}

static int make_successors(Store *store, uint32_t thread) {
    Worker *me = &store->worker[thread];
    uint64_t groups = (store->chunk_end - store->chunk_begin + LANES - 1) / LANES;
    uint64_t from = store->chunk_begin + groups * thread / store->active * LANES;
    uint64_t to = store->chunk_begin + groups * (thread + 1) / store->active * LANES;
    if (to > store->chunk_end) to = store->chunk_end;
    me->count = 0;
    memset(me->mine_count, 0, sizeof me->mine_count);
    for (; from < to; from += LANES)
        if (expand_group(store, me, from, to - from < LANES ? (int)(to - from) : LANES))
            return NO_MEMORY;
    return FINE;
}

/* Second round: which of them are new. In the list of a shard, the number of each state that was
   reached is replaced by its number in the shard where it is new, and else by KNOWN. */

static uint32_t look_up(Shard *shard, const Reached *reached, uint64_t place) {
    uint64_t mask = (1ull << shard->bits) - 1;
    for (;; place = (place + 1) & mask) {
        uint64_t entry = shard->entry[place];
        if (!entry) {
            memcpy(shard->keys + shard->count * WORDS, reached->key, sizeof reached->key);
            shard->entry[place] = (uint64_t)reached->hash << 32 | (uint32_t)(shard->count + 1);
            return (uint32_t)shard->count++;
        }
        if (entry >> 32 == reached->hash &&
            same(shard->keys + ((uint32_t)entry - 1ull) * WORDS, reached->key))
            return KNOWN;
    }
}

/* Look up a few states at a time, so that what each needs is fetched while others are busy. */
static uint32_t look_up_batch(
    Shard *shard, const Reached *reached, uint32_t *mine, uint32_t count
) {
    uint64_t place[BATCH], mask = (1ull << shard->bits) - 1, before = shard->count;
    for (uint32_t i = 0; i < count; i++) {
        place[i] = place_of(shard, reached[mine[i]].hash);
        __builtin_prefetch(&shard->entry[place[i]], 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t hash = reached[mine[i]].hash;
        uint64_t entry, at = place[i];
        while ((entry = shard->entry[at]) && entry >> 32 != hash) at = (at + 1) & mask;
        place[i] = at;
        __builtin_prefetch(shard->keys + (uint32_t)(entry - !!entry) * (uint64_t)WORDS);
    }
    for (uint32_t i = 0; i < count; i++) mine[i] = look_up(shard, &reached[mine[i]], place[i]);
    return shard->count - before;
}

static int keep_new(Store *store, uint32_t number) {
    Shard shard = store->shard[number];
    uint64_t more = 0;
    for (uint32_t maker = 0; maker < store->active; maker++)
        more += store->worker[maker].mine_count[number];
    int missing = make_room(&shard, more);
    for (uint32_t maker = 0; maker < store->active && !missing; maker++) {
        Worker *from = &store->worker[maker];
        uint32_t count = from->mine_count[number], new_count = 0;
        for (uint32_t i = 0; i < count; i += BATCH) {
            uint32_t size = count - i < BATCH ? count - i : BATCH;
            new_count += look_up_batch(&shard, from->reached, from->mine[number] + i, size);
        }
        from->new_count[number] = new_count;
    }
    store->shard[number] = shard;
    return missing;
}

/* Third round: positions. */

static void number_new(Store *store, uint32_t thread) {
    uint64_t position = store->numbered;
    for (uint32_t maker = 0; maker < thread; maker++)
        for (uint32_t shard = 0; shard < store->shards; shard++)
            position += store->worker[maker].new_count[shard];
    Worker *me = &store->worker[thread];
    const uint32_t *next[MOST_SHARDS];
    memcpy(next, me->mine, sizeof next);
    for (uint32_t i = 0; i < me->count; i++) {
        uint32_t shard = me->reached[i].shard, number = *next[shard]++;
        if (number == KNOWN) continue;
        store->order[position] = number << store->shard_bits | shard;
        store->parents[position++] = me->reached[i].parent;
    }
}

/* Between the rounds one thread does what concerns all. */

static void begin_chunk(Store *store) {
    uint64_t size = store->active > 1 ? TOGETHER * store->active : ALONE;
    store->chunk_begin = store->expanded;
    store->chunk_end = store->region_end - store->expanded > size ? store->expanded + size
                                                                  : store->region_end;
}

static void provide_room(Store *store) {
    uint64_t wanted = store->distinct;
    for (uint32_t maker = 0; maker < store->active; maker++)
        wanted += store->worker[maker].count;
    if (wanted > MOST_STATES >> store->shard_bits) store->trouble = TOO_MANY;
    else if (room_for_order(store, wanted)) store->trouble = NO_MEMORY;
}

static void finish_chunk(Store *store) {
    store->numbered = store->distinct;
    for (uint32_t maker = 0; maker < store->active; maker++) {
        Worker *worker = &store->worker[maker];
        for (uint32_t shard = 0; shard < store->shards; shard++)
            store->distinct += worker->new_count[shard];
        store->generated += worker->count;
        for (int step = 0; step < STEPS; step++) {
            store->fired[step] += worker->fired[step];
            worker->fired[step] = 0;
        }
        for (int truth = 0; truth < WATCHED; truth++)
            least_of(&store->found[truth], worker->found[truth]);
        least_of(&store->deadlock, worker->deadlock);
        if (worker->too_small_at < store->too_small_at) {
            store->too_small_at = worker->too_small_at;
            store->too_small_step = worker->too_small_step;
        }
    }
    store->expanded = store->chunk_end;
    if (store->too_small_at != NOWHERE) store->region_end = store->expanded;
    begin_chunk(store);
}

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* All wait until the last one is here, which first does the work. Who waits long sleeps, so that
   the one that is waited for can have its processor. */
static void meet(Store *store, void (*work)(Store *)) {
    unsigned round = atomic_load(&store->round);
    if (atomic_fetch_add(&store->waiting, 1) + 1 == store->active) {
        if (store->failure) store->trouble = store->failure;
        if (work && !store->trouble) work(store);
        atomic_store(&store->waiting, 0);
        pthread_mutex_lock(&store->lock);
        atomic_fetch_add(&store->round, 1);
        pthread_cond_broadcast(&store->met);
        pthread_mutex_unlock(&store->lock);
        return;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        if (atomic_load(&store->round) != round) return;
        pause_briefly();
    }
    pthread_mutex_lock(&store->lock);
    while (atomic_load(&store->round) == round) pthread_cond_wait(&store->met, &store->lock);
    pthread_mutex_unlock(&store->lock);
}

static void work(Store *store, uint32_t thread) {
    while (store->chunk_begin < store->chunk_end) {
        if (make_successors(store, thread)) store->failure = NO_MEMORY;
        meet(store, provide_room);
        if (store->trouble) return;
        for (uint32_t shard = thread; shard < store->shards; shard += store->active)
            if (keep_new(store, shard)) store->failure = NO_MEMORY;
        meet(store, finish_chunk);
        if (store->trouble) return;
        /* Nobody waits for this: the states of the next chunk have their positions. */
        number_new(store, thread);
    }
}

typedef struct {
    Store *store;
    uint32_t thread;
    pthread_t handle;
} Helper;

static void *help(void *argument) {
    Helper *helper = argument;
    pthread_mutex_lock(&helper->store->lock);
    pthread_mutex_unlock(&helper->store->lock);
    work(helper->store, helper->thread);
    return 0;
}

/* Expand up to `region_end`, with as many threads as there are to be had and worth it. */
static void expand_region(Store *store) {
    Helper helper[MOST_SHARDS];
    int worth_it = store->region_end - store->expanded >= 2 * TOGETHER;
    uint32_t wanted = worth_it ? store->shards : 1, active = 1;
    pthread_mutex_lock(&store->lock); /* until it is known how many they are */
    for (; active < wanted; active++) {
        helper[active] = (Helper){store, active, 0};
        if (pthread_create(&helper[active].handle, 0, help, &helper[active])) break;
    }
    store->active = active;
    begin_chunk(store);
    pthread_mutex_unlock(&store->lock);
    work(store, 0);
    while (--active) pthread_join(helper[active].handle, 0);
}

static void begin_worker(Worker *worker) {
    worker->deadlock = worker->too_small_at = NOWHERE;
    for (int truth = 0; truth < WATCHED; truth++) worker->found[truth] = NOWHERE;
}

static int keep(Store *store, const uint64_t *key, uint32_t parent, uint64_t position) {
    uint64_t hash = hash_of(key);
    uint32_t number = shard_of(hash, store->shards);
    Shard *shard = &store->shard[number];
    if (make_room(shard, 1)) return NO_MEMORY;
    Reached reached = {.hash = hash >> 32};
    memcpy(reached.key, key, sizeof reached.key);
    uint32_t order = look_up(shard, &reached, place_of(shard, reached.hash));
    store->order[position] = order << store->shard_bits | number;
    store->parents[position] = parent;
    return FINE;
}

/* What Python calls. */

void kernel_close(Store *store) {
    for (uint32_t number = 0; number < store->shards; number++) {
        Shard *shard = &store->shard[number];
        give_back(shard->entry, 8ull << shard->bits);
        give_back(shard->keys, 8 * WORDS * shard->room);
        for (uint32_t other = 0; other < store->shards; other++)
            free(store->worker[number].mine[other]);
        free(store->worker[number].reached);
    }
    give_back(store->order, 4 * store->room);
    give_back(store->parents, 4 * store->room);
    free(store);
}

/* A store of these states, or null where there is no memory. */
Store *kernel_open(
    uint32_t shards, const uint64_t *states, const uint32_t *parents, uint64_t distinct
) {
    Store *store = calloc(1, sizeof *store);
    if (!store) return 0;
    pthread_mutex_init(&store->lock, 0);
    pthread_cond_init(&store->met, 0);
    store->shards = shards;
    while (1u << store->shard_bits < shards) store->shard_bits++;
    store->deadlock = store->too_small_at = NOWHERE;
    for (int truth = 0; truth < WATCHED; truth++) store->found[truth] = NOWHERE;
    int missing = room_for_order(store, distinct);
    for (uint32_t shard = 0; shard < shards && !missing; shard++) {
        begin_worker(&store->worker[shard]);
        missing = make_room(&store->shard[shard], 0);
    }
    for (uint64_t position = 0; position < distinct && !missing; position++)
        missing = keep(store, states + position * WORDS, parents[position], position);
    store->distinct = distinct;
    if (!missing) return store;
    kernel_close(store);
    return 0;
}

/* Expands at most this many states of the current level; where it is done, of the next one. */
int kernel_expand(Store *store, uint64_t most) {
    if (store->trouble) return store->trouble;
    if (store->too_small_at != NOWHERE) return TOO_SMALL;
    if (store->expanded == store->level_end && store->level_end < store->distinct) {
        store->level_end = store->distinct;
        store->depth++;
    }
    uint64_t left = store->level_end - store->expanded;
    store->region_end = store->expanded + (left < most ? left : most);
    expand_region(store);
    return store->too_small_at != NOWHERE ? TOO_SMALL : store->trouble;
}

uint64_t kernel_bytes(const Store *store) {
    uint64_t bytes = store->distinct * 4 * (2 * WORDS + 2);
    for (uint32_t shard = 0; shard < store->shards; shard++) {
        const Worker *worker = &store->worker[shard];
        bytes += 8ull << store->shard[shard].bits;
        bytes += worker->room * (sizeof *worker->reached + store->shards * sizeof **worker->mine);
    }
    return bytes;
}

/* Copies the states at some positions. */
void kernel_states(const Store *store, uint64_t first, uint64_t count, uint64_t *states) {
    for (uint64_t i = 0; i < count; i++)
        memcpy(states + i * WORDS, state_at(store, first + i), 8 * WORDS);
}

const uint32_t *kernel_parents(const Store *store) {
    return store->parents;
}
