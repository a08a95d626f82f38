/* What the generated functions of one machine and the store of its states share.

   States are expanded in groups of LANES. A group holds each slot of its states as one vector, so
   that a guard is decided for the whole group by a few instructions and without a branch. The
   generated file defines before this text:

     WORDS                          64-bit words of a packed state
     SLOTS, STEPS                   slots of a state; ground steps
     WATCHED, SYMMETRIES            truths to watch; permutations beside the identity
     LANE, UNSIGNED_LANE, LANE_BITS an integer that holds every number of the machine; its width

   and after it:

     unpack(group)                  fills the slots from the words
     look(group, view)              says what holds in each state, and which steps are enabled
     emit(group, enabled, place, reached, first)
                                    writes the successors; those of a lane go to place[lane] on
     permute(group, which, word)    packs the group again under one permutation
*/

#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_BYTES 32
#define LANES (VECTOR_BYTES * 8 / LANE_BITS)

typedef LANE Vector __attribute__((vector_size(VECTOR_BYTES)));
typedef UNSIGNED_LANE Unsigned __attribute__((vector_size(VECTOR_BYTES)));

/* A bit for each state of a group. */
typedef uint64_t Lanes;

typedef struct {
    uint64_t word[WORDS][LANES];
    Vector slot[SLOTS];
} Group;

/* What holds in which states. */
typedef struct {
    Lanes enabled[STEPS + 1], misfit[STEPS + 1], holds[WATCHED + 1], may_end;
} View;

/* A state that was reached, until it is known whether it is new. */
typedef struct {
    uint64_t key[WORDS];
    uint32_t parent, hash, shard;
} Reached;

static inline Vector all(LANE number) {
    return (Vector){0} + number;
}

static inline Vector choose(Vector condition, Vector yes, Vector no) {
    return (yes & condition) | (no & ~condition);
}

/* The lanes in which a truth (all bits of the lane, or none) holds. */
static inline Lanes lanes(Vector truth) {
#if defined(__AVX2__) && LANE_BITS == 8
    typedef char Bytes __attribute__((vector_size(32)));
    return (uint32_t)__builtin_ia32_pmovmskb256((Bytes)truth);
#elif defined(__AVX2__) && LANE_BITS == 16
    typedef char Bytes __attribute__((vector_size(16)));
    return (uint32_t)__builtin_ia32_pmovmskb128(__builtin_convertvector(truth, Bytes));
#elif defined(__AVX2__) && LANE_BITS == 32
    typedef float Floats __attribute__((vector_size(32)));
    return (uint32_t)__builtin_ia32_movmskps256((Floats)truth);
#else
    Lanes found = 0;
    for (int lane = 0; lane < LANES; lane++) found |= (Lanes)(truth[lane] & 1) << lane;
    return found;
#endif
}

typedef union {
    Unsigned vector;
    UNSIGNED_LANE lane[LANES];
} Field;
