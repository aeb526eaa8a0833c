// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of a run: launches, blocks, warps, threads, what they wait for, and
// memory. Private to this folder. A Machine belongs to one Emulator; `machine`
// and `self` name the running one and its running thread.

#ifndef DSV4_TARGETS_CUDA_EMULATION_MACHINE_H
#define DSV4_TARGETS_CUDA_EMULATION_MACHINE_H

#include "targets/cuda/emulation/Emulator.h"
#include "targets/cuda/emulation/Fiber.h"
#include "targets/cuda/emulation/Shadow.h"

#include <deque>
#include <map>
#include <random>
#include <unordered_map>

namespace dsv4::cuda::emu {

struct Block;
struct Launch;
struct Warp;
struct Thread;

/// splitmix64: small, and the same everywhere.
struct Random {
  u64 state = 0;
  u64 next() {
    u64 z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  u32 below(u32 bound) { return u32((next() >> 32) * bound >> 32); }
  bool oneIn(u32 n) { return below(n) == 0; }
};

// Unregistered bytes on both sides of a buffer. An index that is wrong by more
// may hit another buffer, and is then seen by the shadow or not at all.
constexpr size_t guardBytes = 16384;

struct Buffer {
  std::string name;
  u8 *base = nullptr;
  u64 bytes = 0;
  bool constant = false;
  std::unique_ptr<Shadow> shadow;
  std::unique_ptr<u8[]> memory; ///< with guards, when it is ours
};

struct Wait {
  enum Kind { Nothing, Collective, Barrier, MBarrier, Counter, GridDep };
  Kind kind = Nothing;
  const char *what = "";
  u64 id = 0; ///< barrier number, shared address or address of a counter
  u32 want = 0;
};

/// One 16-byte copy of cp.async that has not been done yet.
struct SmallCopy {
  u32 to;
  const u8 *from;
  u32 bytes;
  u32 group;
  Knowledge issuer;
  u32 issued, issuedAsync;
};
struct SmallCopies {
  std::deque<SmallCopy> open;
  u32 groups = 0;
  u32 slot = 0; ///< the thread's copy engine; its time is the group + 1
};

struct WgmmaOp {
  Elem elem;
  u32 n;
  float *d;
  const u32 *a;
  u32 seen[4];
  u64 descriptor;
  bool transposed, accumulate;
  u32 group;
};
struct WgmmaQueue {
  struct Accumulator {
    float *d;
    std::vector<float> value;
    u32 pending;
  };
  std::deque<WgmmaOp> ops;
  std::vector<Accumulator> live;
  u32 groups = 0;
  u64 issued = 0;
  bool fenced = false;
};

struct Thread {
  Context context;
  char *stack = nullptr;
  Warp *warp = nullptr;
  Ids ids;
  Knowledge know;
  u32 slot = 0, now = 1;
  u32 asyncNow = 0;  ///< own writes up to here are shown to copies and wgmma
  Knowledge fenced;  ///< what a relaxed atomic releases
  Knowledge pending; ///< what the next fence acquires
  Wait wait;
  bool done = false;
  std::unique_ptr<SmallCopies> copies;
  std::unique_ptr<WgmmaQueue> wgmma;

  View known() const { return {&know.known, slot, now}; }
  View async() const { return {&know.async, slot, asyncNow}; }
  /// What it knows and its own past, as others may take it; starts a new time.
  Knowledge release();
  void releaseTo(Gathering &gathering);
};

struct Warp {
  Block *block = nullptr;
  u32 index = 0;
  Thread *lanes[32] = {};
  u32 size = 0;
  u32 ready = 0;       ///< lanes that can go on
  u32 place = ~0u;     ///< in the list of ready warps
  void *args[32] = {}; ///< of a collective
  void (*run)(void **) = nullptr;
  const char *what = "";
  u32 arrived = 0;
  Gathering gathering;
  u32 slot = 0, time = 0; ///< of its reads by wgmma
};

struct NamedBarrier {
  u32 arrived = 0, expected = 0;
  std::vector<Thread *> waiting;
  Gathering gathering;
};

struct MBarrier {
  u32 count = 0, pending = 0;
  i64 tx = 0;
  u64 phase = 0;
  Gathering gathering;
  Knowledge done;
  std::vector<Thread *> waiting;
  SlotTime born{};    ///< the init, which users must know
  bool shown = false; ///< a fence has shown the init to copies
  u32 slot = 0;       ///< of its copies
  u32 copies = 0;     ///< in flight
};

struct BulkCopy {
  Block *block;
  u32 to;
  const u8 *from;
  u32 bytes;
  u32 mbar;
  Knowledge issuer;
  u32 slot, issued, issuedAsync;
};

struct Block {
  Launch *launch = nullptr;
  u32 index = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  u8 *shared = nullptr;
  u32 sharedBytes = 0;
  std::unique_ptr<Shadow> shadow;
  NamedBarrier barriers[16];
  std::map<u32, MBarrier> mbarriers;
  u32 live = 0;
  u32 copies = 0; ///< bulk copies in flight
  bool triggered = false;
  ~Block();
};

struct Launch {
  u32 number;
  std::string name;
  Dim grid, block;
  u32 sharedBytes;
  std::function<void()> body;
  std::vector<Edge> edges;
  u32 started = 0, finished = 0, triggered = 0;
  Gathering gathering;
  Knowledge complete;
  std::vector<Thread *> waiting; ///< in gridDepWait
  bool done() const { return finished == grid.count(); }
};

struct Counter {
  Knowledge released;
  std::vector<Thread *> waiting;
};

struct SlotName {
  enum Kind { None, Thread, Copies, SmallCopies, Wgmma };
  Kind kind = None;
  u32 launch = 0, block = 0, index = 0;
};

/// Where an address lies.
struct Region {
  Shadow *shadow = nullptr;
  std::string_view name;
  u64 offset = 0;
  bool constant = false;
  bool valid = false;
};

struct Machine {
  explicit Machine(const Options &options);

  // Memory (Access.cpp)
  Buffer &add(const char *name, u8 *base, u64 bytes, bool scratch);
  Buffer *find(const void *p);
  Region locate(const void *p, u32 bytes, const char *verb);
  enum class Do { Read, Write, Atomic, AtomicLoad };
  bool check(const void *p, u32 bytes, const Access &access, Do what,
             const char *verb);

  // Scheduling (Scheduler.cpp)
  void block(Wait::Kind kind, const char *what, u64 id, u32 want);
  void wake(Thread *thread);
  void maybeYield();
  void yield();
  [[noreturn]] void abandon();
  void loop();
  void runWarp(Warp &warp);

  // Launches (Graph.cpp)
  bool mayStart(const Launch &launch) const;
  void findStartable();
  void run();
  void startBlock(Launch &launch);
  void finishBlock(Block &block);
  void threadEnds(Thread &thread);
  u32 newSlot(SlotName name);

  // Copies (Copies.cpp)
  void finishCopy(size_t number);

  // Reports (Reports.cpp)
  void report(FaultKind kind, const std::string &key, const std::string &text);
  /// The same, about what the running thread does.
  void complain(FaultKind kind, const std::string &text);
  std::string nameOf(u32 slot) const;
  std::string nameOf(const Thread &thread) const;
  std::string waitGraph() const;
  std::string describeWait(const Thread &thread) const;

  Options options;
  Random random;
  StackPool stacks;
  Context scheduler;
  std::vector<std::unique_ptr<Buffer>> buffers; ///< by address
  Buffer *lastBuffer = nullptr;
  ReadSets sets;
  std::vector<std::unique_ptr<Launch>> launches;
  std::vector<std::unique_ptr<Block>> blocks; ///< resident
  std::vector<Warp *> readyWarps;
  std::vector<BulkCopy> bulkCopies;
  std::vector<Launch *> startable;
  bool startableChanged = true;
  std::unordered_map<const u32 *, Counter> counters;
  std::vector<SlotName> slots;
  std::vector<Report> reports;
  std::unordered_map<std::string, size_t> reportKeys;
  u64 switches = 0, steps = 0, lastProgress = 0;
  u32 copyDelay = 1, startDelay = 1; ///< one in so many steps
  bool aborted = false;
};

extern Machine *machine;
extern Thread *self;

inline void progress() { machine->lastProgress = machine->steps; }
inline Block &myBlock() { return *self->warp->block; }

/// Ends the phase of the mbarrier at `addr` if nothing is outstanding.
void settlePhase(u32 addr, MBarrier &bar);
/// wgmma left open, copies not waited for: reported when a thread ends.
void checkLeftovers(Thread &thread);
/// At random, some of the thread's open cp.async copies get done.
void someSmallCopies(Thread &thread);

/// D[16][n] = C + A[16][k] B[k][n], C first, then k ascending, in double,
/// rounded once.
void product(const double *a, const double *b, float *d, u32 n, u32 k);
/// 16 bytes of elements, `stride` apart in the result.
void decode16(Elem elem, const u8 *bytes, double *to, u32 stride);
/// A's 16 x k fragment from the registers of 32 lanes.
void gatherA(Elem elem, const u32 *const *registers, double *a);
u32 depthOf(Elem elem);

std::string format(const char *pattern, ...)
    __attribute__((format(printf, 1, 2)));

} // namespace dsv4::cuda::emu

#endif // DSV4_TARGETS_CUDA_EMULATION_MACHINE_H
