// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of the fake driver: memory, streams, events, modules, graphs.

#ifndef DSV4_TEST_UNIT_DEVICE_FAKEDEVICE_H
#define DSV4_TEST_UNIT_DEVICE_FAKEDEVICE_H

#include "FakeCuda.h"

#include <map>
#include <memory>
#include <set>

namespace fakecuda {

using namespace dsv4::cuda;

/// Memory that the fake knows: of the device (own bytes) or of the host.
struct Block {
  enum Kind { OfDevice, Pinned, Registered } kind;
  size_t bytes;
  std::vector<uint8_t> own; // of device memory and pinned memory
  uint8_t *data;
  bool isFreed = false;
};

struct Range {
  Address begin, end;
  bool isWrite;
  bool meets(const Range &o) const { return begin < o.end && o.begin < end; }
};

struct FakeModule {
  bool isLoaded = true;
};

struct FakeExec;
struct FakeFunction;
class Machine;

/// Another way to run kernels than as functions of a test: on an emulator
/// (test/emulated-driver), whose memory is the host's, at its own addresses.
class Playground {
public:
  virtual ~Playground() = default;
  /// The functions of an image, whatever it holds.
  virtual Result load() = 0;
  /// Makes the function of that name, or answers NotFound.
  virtual Result find(Machine &m, FakeModule *module, const char *name) = 0;
  virtual void added(const char *what, void *data, size_t bytes) = 0;
  /// A fault is thrown, after it has been reported.
  virtual void run(FakeExec &exec) = 0;
};
extern Playground *playground; // null: functions of the test

struct FakeFunction {
  FakeModule *module;
  std::string name = {};
  int registers = 0, local = 0, shared = 0, threads = 1024, params = 0;
  int maxDynamicShared = 48 << 10; // without asking for more
};

/// A node of a graph, or an operation of a stream.
struct FakeNode {
  std::string name = {};
  FakeFunction *function = nullptr; // null: a copy or a memset
  std::vector<uint8_t> params = {};
  uint32_t gridX = 0, gridY = 0, blockX = 0, sharedBytes = 0;
  Address from = 0, to = 0; // of a copy; to alone of a memset
  size_t bytes = 0;
  int value = -1; // of a memset
};

struct FakeEdge {
  size_t from, to;
  bool isProgrammatic;
};

struct FakeGraph {
  std::vector<std::unique_ptr<FakeNode>> nodes;
  std::vector<FakeEdge> edges;
};

struct FakeExec {
  std::vector<FakeNode> nodes;
  std::vector<FakeEdge> edges;
};

struct Operation {
  FakeNode node;            // unless there is a graph
  FakeExec *exec = nullptr; // launched
};

struct FakeStream {
  std::vector<Operation> queue;
  size_t done = 0;
};

struct FakeEvent {
  FakeStream *stream = nullptr;
  size_t upTo = 0; // operations of the stream
  bool isTimed = false;
};

/// The kernel has failed: thrown through the function that plays it.
struct Fault {
  Result result;
};

class Machine : public Control {
public:
  Machine();
  void reset() override;
  Settings &settings() override { return set; }
  void setKernel(const std::string &name, const Kernel &kernel) override {
    kernels[name] = kernel;
  }
  void failCall(int64_t n, Result result) override;
  void failFunction(const std::string &name, Result result) override {
    failing[name] = result;
  }
  const std::vector<std::string> &calls() const override { return made; }
  const std::vector<std::string> &misuse() const override { return wrong; }
  void clearMisuse() override { wrong.clear(); }
  std::vector<std::string> leaks() const override;
  uint8_t *peek(Address address) override;

  /// Counts a call; not 0: what it has to return.
  Result enter(const char *name, bool needsContext);
  /// Writes down a misuse; for `return misused(...)`.
  Result misused(const std::string &what, Result result = InvalidValue);

  Result allocate(Block::Kind kind, size_t bytes, void *host, Address &address);
  Result free(Block::Kind kind, Address address);
  /// The device's address of host memory; 0: unknown.
  Address addressOf(const void *host, size_t bytes);
  uint8_t *find(Address address, size_t bytes, const std::string &who);
  /// Memory of a mapped file.
  bool isReadOnly(Address address) const;
  /// Checks a launch and makes a node of it.
  Result makeLaunch(const KernelNodeParams &p, FakeNode &node);
  Result push(FakeStream *stream, Operation operation);
  Result sync(FakeStream *stream, size_t upTo);
  void runExec(FakeExec &exec);
  void runNode(const FakeNode &node, bool isAfter, std::vector<Range> &seen);

  template <typename T> bool has(const std::set<T *> &all, T *one) {
    return all.count(one) > 0;
  }

  Settings set;
  bool isInitialised = false;
  int retained = 0;
  bool isCurrent = false;
  Result sticky = 0;
  uint64_t taken = 0;
  int pins = 0;
  std::set<FakeStream *> streams;
  std::set<FakeEvent *> events;
  std::set<FakeModule *> modules;
  std::set<FakeFunction *> functions;
  std::set<FakeGraph *> graphs;
  std::set<FakeExec *> execs;
  std::map<std::string, Kernel> kernels;

private:
  Result runOperation(Operation &operation);
  bool touches(const FakeNode &node, Address begin, size_t bytes) const;
  bool isPending(Address begin, size_t bytes) const;
  void checkHazards(const FakeExec &exec,
                    const std::vector<std::vector<Range>> &seen,
                    const std::vector<std::vector<bool>> &reach);

  std::map<Address, Block> blocks;
  Address nextAddress = 0;
  std::vector<std::string> made, wrong;
  std::map<std::string, Result> failing;
  int64_t callsLeft = 0;
  Result failResult = 0;
};

Machine &machine();

} // namespace fakecuda

#endif // DSV4_TEST_UNIT_DEVICE_FAKEDEVICE_H
