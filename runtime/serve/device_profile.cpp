// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See device_profile.h.

#include "runtime/serve/device_profile.h"

#include "runtime/base/part_file.h"
#include "runtime/core/phase_names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

namespace dsv4::serve {

namespace {

/// A node with what is known about it.
struct Node {
  const char *name, *kind, *kernel; // kernel: "copy" for a copy
  unsigned long long size;          // blocks; of a copy bytes
  double microseconds;
};

/// The nodes of a measured graph, one after the other.
class Nodes {
public:
  Nodes(const Engine &engine, const StepProfile &measured)
      : cuda(*engine.program().cuda), graph(cuda.graphs[measured.graph]),
        blocks(engine.context() / DSV4_CONTEXT_BLOCK),
        program(engine.program()), results(measured.nodes),
        names(engine.program()) {}

  int64_t count() const { return graph.num_nodes; }

  Node at(int64_t i) {
    const dsv4_cuda_node &node = cuda.nodes[graph.first_node + i];
    int64_t phase = names.find(node.name);
    Node n = {node.name, "copy", "copy", sizeOf(node.grid_x),
              results[i].microseconds};
    if (node.kernel < 0)
      return n;
    n.kernel = cuda.kernels[node.kernel].name;
    n.kind = phase < 0 ? n.kernel : program.phases[phase].kind;
    n.size *= sizeOf(node.grid_y);
    return n;
  }

private:
  uint64_t sizeOf(const dsv4_cuda_count &rule) const {
    return cuda::evaluate(rule, graph.tokens, graph.outputs, blocks);
  }

  const dsv4_cuda_program &cuda;
  const dsv4_cuda_graph &graph;
  int64_t blocks;
  const dsv4_program &program;
  const cuda::NodeResult *results;
  PhaseNames names;
};

struct Kind {
  const char *name;
  int64_t nodes;
  double microseconds;
};

/// What all nodes add up to, and those of each kind.
struct Sums {
  static constexpr int most = 64;
  Kind kinds[most];
  int count = 0;
  double microseconds = 0;

  /// The last kind takes what does not fit.
  void add(const Node &node) {
    int i = 0;
    while (i < count && strcmp(kinds[i].name, node.kind))
      ++i;
    if (i == count && count < most)
      kinds[count++] = {node.kind, 0, 0};
    i = i < most ? i : most - 1;
    ++kinds[i].nodes;
    kinds[i].microseconds += node.microseconds;
    microseconds += node.microseconds;
  }
  double percent(double part) const {
    return microseconds > 0 ? 100 * part / microseconds : 0;
  }
};

/// "tg128 x 2 seq @ d512", as in bench's table.
struct Title {
  char text[64];

  explicit Title(const BenchTest &t) {
    snprintf(text, sizeof(text), "%s%lld x %lld seq @ d%lld",
             t.prompt ? "pp" : "tg", (long long)(t.prompt ? t.prompt : t.gen),
             (long long)t.sequences, (long long)t.depth);
  }
};

void printNodes(Nodes &nodes, const Sums &sums, bool isTable) {
  if (isTable)
    fputs("| node | kind | kernel | blocks or bytes | us | % |\n"
          "| --- | --- | --- | ---: | ---: | ---: |\n",
          stdout);
  for (int64_t i = 0; i < nodes.count(); ++i) {
    Node n = nodes.at(i);
    printf(isTable ? "| %s | %s | %s | %llu | %.2f | %.1f |\n"
                   : "{\"node\": \"%s\", \"kind\": \"%s\", \"kernel\": "
                     "\"%s\", \"size\": %llu, \"us\": %.3f, \"pct\": "
                     "%.2f}\n",
           n.name, n.kind, n.kernel, n.size, n.microseconds,
           sums.percent(n.microseconds));
  }
}

void printKinds(const Sums &sums, bool isTable) {
  if (isTable)
    fputs("\n| kind | nodes | us | % |\n| --- | ---: | ---: | ---: |\n",
          stdout);
  for (int i = 0; i < sums.count; ++i) {
    const Kind &k = sums.kinds[i];
    printf(isTable ? "| %s | %lld | %.2f | %.1f |\n"
                   : "{\"sum\": \"%s\", \"nodes\": %lld, \"us\": %.3f, "
                     "\"pct\": %.2f}\n",
           k.name, (long long)k.nodes, k.microseconds,
           sums.percent(k.microseconds));
  }
}

void printWhole(const Title &title, const dsv4_cuda_graph &graph,
                const StepProfile &p, const Sums &sums, int repeats,
                bool isTable) {
  printf(isTable ? "\n%s, graph %s, averages of %d: the graph takes %.2f us, "
                   "its nodes alone %.2f us, %.2f us more\n\n"
                 : "{\"summary\": \"%s\", \"graph\": \"%s\", "
                   "\"repetitions\": %d, \"graph_us\": %.3f, \"nodes_us\": "
                   "%.3f, \"difference_us\": %.3f}\n",
         title.text, graph.name, repeats, p.graphMicroseconds,
         sums.microseconds, sums.microseconds - p.graphMicroseconds);
}

/// False where a line cannot be written.
bool printTrace(int file, Nodes &nodes, const char *graph, double whole) {
  constexpr const char *event =
      "%s{\"name\": \"%s\", \"cat\": \"%s\", \"ph\": \"X\", \"ts\": "
      "%.3f, \"dur\": %.3f, \"pid\": 1, \"tid\": %d}";
  bool isWhole =
      dprintf(file, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n") > 0;
  isWhole =
      isWhole && dprintf(file, event, "", graph, "graph", 0., whole, 1) > 0;
  double now = 0;
  for (int64_t i = 0; i < nodes.count() && isWhole; ++i) {
    Node n = nodes.at(i);
    isWhole =
        dprintf(file, event, ",\n", n.name, n.kind, now, n.microseconds, 2) > 0;
    now += n.microseconds;
  }
  return isWhole && dprintf(file, "\n]}\n") > 0;
}

Status writeNodes(const char *path, Nodes &nodes, const char *graph,
                  double whole) {
  PartFile part;
  DSV4_RETURN_IF_ERROR(part.open(path));
  if (!printTrace(part.file(), nodes, graph, whole))
    return makeSystemError(Code::Io, errno, "%s: cannot be written", path);
  return part.commit();
}

} // namespace

Status profileOnDevice(Bench &bench, const BenchTest &test, const char *trace,
                       BenchFormat format) {
  StepProfile measured;
  DSV4_RETURN_IF_ERROR(bench.profile(test.prompt, test.sequences, test.depth,
                                     test.repeats, measured));
  const Engine &engine = bench.engine;
  const dsv4_cuda_graph &graph = engine.program().cuda->graphs[measured.graph];
  Nodes nodes(engine, measured);
  Sums sums;
  for (int64_t i = 0; i < nodes.count(); ++i)
    sums.add(nodes.at(i));
  bool isTable = format == BenchFormat::Markdown;
  printNodes(nodes, sums, isTable);
  printKinds(sums, isTable);
  printWhole(Title(test), graph, measured, sums, test.repeats, isTable);
  fflush(stdout);
  return trace
             ? writeNodes(trace, nodes, graph.name, measured.graphMicroseconds)
             : okStatus();
}

} // namespace dsv4::serve
