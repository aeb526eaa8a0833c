// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FuseTails.h.

#include "targets/cuda/lower/FuseTails.h"

#include "targets/cuda/device/phases/fused/mix_pre.cuh"
#include "targets/cuda/device/phases/fused/product_tails.cuh"
#include "targets/cuda/device/phases/fused/score_top_k.cuh"

#include "dialects/kern/IR/Affine.h"
#include "llvm/ADT/ArrayRef.h"

#include <algorithm>
#include <cstring>
#include <regex>

namespace dsv4::cuda {

namespace {

/// Of one launch; products side by side have two.
constexpr int64_t countersBytes = 1 << 16;
constexpr int64_t tokenCountersAt = countersBytes - 256; // of tasks
constexpr int64_t consumers = 128; // of a block of products for decode

/// A phase that may be a task of the product that it reads at `inputs`, with
/// the phase `second` right behind it.
struct TaskRule {
  const char *kind, *second, *type;
  std::vector<size_t> inputs;
  enum class Unit { Columns, Heads, Row, Serial, Mix } unit;

  bool isSerial() const { return unit == Unit::Serial || unit == Unit::Mix; }
};

const std::vector<TaskRule> &taskRules() {
  using Unit = TaskRule::Unit;
  static const std::vector<TaskRule> rules = {
      {"quantize+encode",
       nullptr,
       "QuantizeEncodeTail",
       {offsetof(QuantizeParams, x)},
       Unit::Columns},
      {"swiglu+encode",
       nullptr,
       "SwigluEncodeTail",
       {offsetof(SwigluParams, gate), offsetof(SwigluParams, up)},
       Unit::Columns},
      {"norm_quant+encode",
       nullptr,
       "NormQuantEncodeTail",
       {offsetof(NormQuantParams, raw)},
       Unit::Serial},
      {"query_heads",
       nullptr,
       "QueryHeadsTail",
       {offsetof(QueryHeadsParams, raw)},
       Unit::Heads},
      {"index_query",
       nullptr,
       "IndexQueryTail",
       {offsetof(IndexQueryParams, raw)},
       Unit::Heads},
      {"store_kv",
       nullptr,
       "StoreKvTail",
       {offsetof(StoreKvParams, raw)},
       Unit::Row},
      {"route",
       "dispatch",
       "RouteDispatchTail",
       {offsetof(RouteParams, logits)},
       Unit::Row},
      {"compress",
       "carry",
       "CompressCarryTail",
       {offsetof(CompressParams, u), offsetof(CompressParams, g)},
       Unit::Row},
      {"hc_mix",
       "hc_pre+encode",
       "MixPreTail",
       {offsetof(HcMixParams, out)},
       Unit::Mix}};
  return rules;
}

size_t productBytes(const NodeSpec &node) {
  return llvm::StringRef(node.kind).starts_with("expert_linear")
             ? sizeof(ExpertLinearParams)
             : sizeof(LinearParams);
}

/// A number of a config's text.
std::optional<int64_t> numberOf(const KernelSpec &kernel, const char *name) {
  std::smatch found;
  std::regex form("\\b" + std::string(name) + " = (\\d+)");
  if (!std::regex_search(kernel.text, found, form))
    return std::nullopt;
  return std::stoll(found[1]);
}

} // namespace

bool isProduct(const NodeSpec &node, llvm::StringRef base) {
  return node.kind == base || node.kind == base.str() + "+reduce";
}

bool productsConflict(const NodeSpec &a, const NodeSpec &b) {
  return conflicts(a, b);
}

void useOtherCounters(NodeSpec &node) {
  if (!isProduct(node, "linear") && !isProduct(node, "expert_linear"))
    return;
  size_t at = productBytes(node) + offsetof(TailPlan, counters);
  for (OperandSpec &operand : node.operands)
    if (size_t(operand.at) == at)
      operand.offset.fixed += countersBytes;
}

/// A product and what becomes a tail of it.
struct TailFuser::Host {
  NodeSpec node;
  size_t jobsAt = 0; // of the parameters
  std::vector<MatrixJob> jobs;
  TailPlan plan{};
  u32 numUnits = 0, numCounters = 0;
  u32 places = 1; // of rows that have counters of their own
  int64_t shared = 0;
  struct Task {
    const TaskRule *rule;
    std::vector<NodeSpec> nodes;
  };
  std::vector<Task> tasks;
  std::vector<bool> claimed;

  Host(const NodeSpec &node, int64_t tokens);
  bool isExperts() const { return node.kind == "expert_linear"; }
  std::optional<u32> jobsOf(const NodeSpec &reader,
                            const std::vector<size_t> &inputs) const;
  void addUnits(u32 first, u32 count, u32 strips, u32 task, u32 lanes);
  void addSums();
};

TailFuser::Host::Host(const NodeSpec &from, int64_t tokens) : node(from) {
  u32 count = 0;
  if (isExperts()) {
    ExpertLinearParams params;
    std::memcpy(static_cast<void *>(&params), from.params.data(),
                sizeof(params));
    jobsAt = offsetof(ExpertLinearParams, jobs);
    count = params.numJobs;
    places = u32(tokens) * params.expertsPerToken;
  } else {
    LinearParams params;
    std::memcpy(static_cast<void *>(&params), from.params.data(),
                sizeof(params));
    jobsAt = offsetof(LinearParams, jobs);
    count = params.numJobs;
  }
  jobs.resize(count);
  std::memcpy(static_cast<void *>(jobs.data()), from.params.data() + jobsAt,
              count * sizeof(MatrixJob));
  claimed.resize(count);
}

/// The first of the jobs that write what `reader` reads, one after another.
std::optional<u32>
TailFuser::Host::jobsOf(const NodeSpec &reader,
                        const std::vector<size_t> &inputs) const {
  auto y = [&](u32 job) {
    return operandAt(node,
                     jobsAt + job * sizeof(MatrixJob) + offsetof(MatrixJob, y));
  };
  for (u32 first = 0; first + inputs.size() <= jobs.size(); ++first) {
    bool all = true;
    for (u32 i = 0; i < inputs.size(); ++i)
      all = all && !claimed[first + i] &&
            jobs[first + i].rows == jobs[first].rows &&
            sameAddress(operandAt(reader, inputs[i]), y(first + i));
    if (all)
      return first;
  }
  return std::nullopt;
}

void TailFuser::Host::addUnits(u32 first, u32 count, u32 strips, u32 task,
                               u32 lanes) {
  plan.units[numUnits] = {first, count, strips, numCounters, task, lanes};
  for (u32 job = first; job < first + count; ++job) {
    plan.unitsOf[job] = numUnits;
    claimed[job] = true;
  }
  u32 all = ceilDiv(jobs[first].rows, TileRows);
  numCounters += places * ceilDiv(all, strips);
  ++numUnits;
}

/// Jobs that nobody goes on with.
void TailFuser::Host::addSums() {
  for (u32 job = 0; job < jobs.size(); ++job)
    if (!claimed[job])
      addUnits(job, 1, 1, TailUnits::NoTask, 0);
}

TailFuser::TailFuser(CudaProgram &program, FusedKernels &kernels,
                     const FuseOptions &options)
    : program(program), kernels(kernels), options(options) {
  if (program.parts.size() > WorkspacePart)
    counters = program.parts[WorkspacePart].bytes;
  counters.fixed = kern::roundUp(counters.fixed, DSV4_CUDA_PART_ALIGN);
}

void TailFuser::finish() {
  if (hasCounters && program.parts.size() > WorkspacePart)
    program.parts[WorkspacePart].bytes =
        counters + kern::Affine{2 * countersBytes, 0};
}

/// Blocks that share a multiprocessor, whose registers a tail must fit.
int64_t TailFuser::blocksOf(const KernelSpec &host, int64_t shared) const {
  int64_t fit = options.sharedPerSm / (shared + options.reservedShared);
  return std::clamp<int64_t>(fit, 1, host.blocksPerSm ? host.blocksPerSm : 4);
}

/// Whether a block still has as many others on its multiprocessor.
bool TailFuser::fitsShared(const KernelSpec &host, int64_t with) const {
  return with <= options.sharedPerBlock &&
         blocksOf(host, with) == blocksOf(host, host.sharedBytes);
}

/// Strips of a unit and lanes with items, for a task of whole rows of a job.
static std::optional<std::pair<u32, u32>> unitOf(const TaskRule &rule, u32 rows,
                                                 const KernelSpec &kernel) {
  using Unit = TaskRule::Unit;
  u32 all = ceilDiv(rows, TileRows);
  if (rule.unit == Unit::Row || rule.unit == Unit::Serial)
    return std::pair(all, 16u);
  // By half a warp: 128 columns, or a head.
  u32 half = 128;
  if (rule.unit == Unit::Mix)
    return rows % half ? std::nullopt
                       : std::optional(std::pair(half / TileRows, 16u));
  if (rule.unit == Unit::Heads) {
    auto heads = numberOf(kernel, "Heads");
    if (!heads || rows % *heads)
      return std::nullopt;
    half = rows / u32(*heads);
  }
  if (half % TileRows || rows % half)
    return std::nullopt;
  bool isPair = rows % (2 * half) == 0;
  return std::pair(half / TileRows * (isPair ? 2 : 1), isPair ? 32u : 16u);
}

/// Shared memory and threads of a task, which takes the consumers' place.
static int64_t taskShared(const TaskRule &rule, const KernelSpec &first,
                          const KernelSpec *second) {
  if (llvm::StringRef(rule.kind) == "route") // a warp of counts for each warp
    return 4 * numberOf(*second, "Experts").value_or(1 << 20) *
           (consumers / 32 + 1);
  if (rule.unit == TaskRule::Unit::Mix) // and a flag
    return 16 + std::max(first.sharedBytes, second->sharedBytes);
  return rule.unit == TaskRule::Unit::Columns ? 0 : first.sharedBytes;
}

const TaskRule *ruleOf(const NodeSpec &node) {
  for (const TaskRule &rule : taskRules())
    if (node.kind == rule.kind)
      return &rule;
  return nullptr;
}

/// Makes the launch at `from` a task of the host at `at`, which it may move to.
bool TailFuser::take(GraphSpec &graph, Host &host, size_t at, size_t from) {
  const TaskRule *rule = ruleOf(graph.nodes[from]);
  size_t count = rule && rule->second ? 2 : 1;
  if (!rule || from + count > graph.nodes.size() ||
      (count == 2 && graph.nodes[from + 1].kind != rule->second) ||
      (rule->isSerial() && graph.tokens > options.serialTokens))
    return false;
  const NodeSpec &node = graph.nodes[from];
  const KernelSpec &kernel = kernels.of(node);
  auto job = host.jobsOf(node, rule->inputs);
  auto unit = job ? unitOf(*rule, host.jobs[*job].rows, kernel) : std::nullopt;
  if (!unit ||
      (rule->unit == TaskRule::Unit::Serial && kernel.threads > consumers))
    return false;
  if (host.isExperts() && rule->unit != TaskRule::Unit::Columns)
    return false;
  int64_t shared = taskShared(
      *rule, kernel, count == 2 ? &kernels.of(graph.nodes[from + 1]) : nullptr);
  const KernelSpec &own = kernels.of(host.node);
  if (!fitsShared(own, own.sharedBytes + std::max(shared, host.shared)))
    return false;
  for (size_t i = from; i < from + count; ++i)
    for (size_t passed = at + 1; passed < from; ++passed)
      if (graph.nodes[passed].kind != "reduce" &&
          conflicts(graph.nodes[i], graph.nodes[passed]))
        return false;
  host.shared = std::max(shared, host.shared);
  host.addUnits(*job, u32(rule->inputs.size()), unit->first,
                u32(host.tasks.size()), unit->second);
  auto begin = graph.nodes.begin() + long(from);
  host.tasks.push_back({rule, {begin, begin + long(count)}});
  eraseOfChain(graph, from, count);
  return true;
}

/// The text of a task's configs and of its name.
static bool addTask(std::string &text, const std::string &name,
                    const TaskRule &rule,
                    llvm::ArrayRef<const KernelSpec *> phases) {
  std::string args;
  for (size_t i = 0; i < phases.size(); ++i) {
    auto entry = entryOf(*phases[i], name + "_" + std::to_string(i));
    if (!entry || entry->args.size() != 1)
      return false;
    std::string config = entry->args[0];
    text += entry->rest;
    if (phases[i]->text.find("dispatch<") != std::string::npos) {
      text += "struct " + name + "_warps : " + config +
              " {\n  static constexpr u32 Warps = " +
              std::to_string(consumers / 32) + ";\n};\n";
      config = name + "_warps";
    }
    args += (i ? ", " : "") + config;
  }
  text += "using " + name + " = " + rule.type + "<" + args + ">;\n";
  return true;
}

/// The kernel, or -1 where a text is not understood.
int32_t TailFuser::hostKernel(const Host &host) {
  const KernelSpec &own = kernels.of(host.node);
  std::string key = "tails " + own.symbol;
  for (const Host::Task &task : host.tasks)
    for (const NodeSpec &node : task.nodes)
      key += " " + kernels.of(node).symbol;
  if (auto index = kernels.known(key))
    return *index;
  std::string name = kernels.next(), tasks;
  auto entry = entryOf(own, name + "_a");
  if (!entry || entry->args.size() != 1)
    return -1;
  KernelSpec fused = own;
  fused.symbol = "k_" + name;
  fused.header = std::string(fusedFolder) + "product_tails.cuh";
  fused.text = entry->rest;
  fused.paramsBytes += int32_t(sizeof(TailPlan));
  fused.sharedBytes += int32_t(host.shared);
  for (size_t i = 0; i < host.tasks.size(); ++i) {
    std::vector<const KernelSpec *> phases;
    for (const NodeSpec &node : host.tasks[i].nodes) {
      phases.push_back(&kernels.of(node));
      fused.paramsBytes += phases.back()->paramsBytes;
    }
    if (host.tasks[i].rule->unit == TaskRule::Unit::Mix)
      fused.paramsBytes += 8;
    std::string task = name + "_task" + std::to_string(i);
    if (!addTask(fused.text, task, *host.tasks[i].rule, phases))
      return -1;
    tasks += ", " + task;
  }
  fused.text += "using " + name + "_params = ProductTailParams<" +
                entry->params + tasks + ">;\nDSV4_ENTRY_OF(" + fused.symbol +
                ", " + name + "_params, " + std::to_string(fused.threads) +
                ", " + std::to_string(blocksOf(own, fused.sharedBytes)) + ", " +
                (host.isExperts() ? "expertTails<" : "linearTails<") +
                entry->args[0] + tasks + ">)\n";
  return kernels.add(key, std::move(fused));
}

/// Single strips and parts of K, as steps of few tokens have them.
static bool mayHaveTails(const KernelSpec &kernel) {
  return kernel.text.find("partials = true") != std::string::npos &&
         numberOf(kernel, "groups") == 1 && numberOf(kernel, "columns") == 8;
}

void TailFuser::addTails(GraphSpec &graph, size_t at) {
  if (!mayHaveTails(kernels.of(graph.nodes[at])))
    return;
  Host host(graph.nodes[at], graph.tokens);
  GraphSpec trial = graph;
  bool hasSums = at + 1 < trial.nodes.size() &&
                 trial.nodes[at + 1].kind == "reduce" &&
                 trial.nodes[at + 1].name == host.node.name;
  for (size_t i = at + 1; i < trial.nodes.size();) {
    int64_t apart = phases.at(trial.nodes[i].name) - phases.at(host.node.name);
    // An encoding is of a phase behind its own.
    if (apart + 3 > FusedPhases)
      break;
    if (!take(trial, host, at, i))
      ++i;
  }
  host.addSums();
  if ((!hasSums && host.tasks.empty()) ||
      host.numCounters * 4 > tokenCountersAt)
    return;
  int32_t kernel = hostKernel(host);
  if (kernel < 0)
    return;
  graph = std::move(trial);
  NodeSpec node = host.node;
  node.kernel = kernel;
  size_t planAt = node.params.size();
  auto *bytes = reinterpret_cast<const uint8_t *>(&host.plan);
  node.params.insert(node.params.end(), bytes, bytes + sizeof(TailPlan));
  node.operands.push_back({WorkspacePart,
                           int32_t(planAt + offsetof(TailPlan, counters)),
                           counters});
  hasCounters = true;
  if (hasSums)
    node.kind += "+reduce";
  for (const Host::Task &task : host.tasks) {
    for (const NodeSpec &phase : task.nodes) {
      append(node, phase);
      node.kind += "+" + phase.kind;
    }
    if (task.rule->unit == TaskRule::Unit::Mix)
      appendOperand(node, WorkspacePart,
                    counters + kern::Affine{tokenCountersAt, 0});
  }
  replace(graph, at, hasSums ? 2 : 1, std::move(node));
}

/// A rotary table, which needs the step alone, comes before the projections
/// whose rows are turned by it: the second product before it, or the first.
static void bringTables(GraphSpec &graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].kind != "rope_table")
      continue;
    size_t to = i, products = 0;
    for (size_t at = i; at-- > 1 && products < 2 &&
                        !conflicts(graph.nodes[i], graph.nodes[at]);)
      if (graph.nodes[at].kind == "linear") {
        to = at;
        ++products;
      }
    auto begin = graph.nodes.begin();
    std::rotate(begin + long(to), begin + long(i), begin + long(i) + 1);
  }
}

void TailFuser::productTails(GraphSpec &graph) {
  phases.clear();
  for (const NodeSpec &node : graph.nodes)
    phases.try_emplace(node.name, int64_t(phases.size()));
  bringTables(graph);
  for (size_t at = 0; at < graph.nodes.size(); ++at)
    if (graph.nodes[at].kind == "linear" ||
        graph.nodes[at].kind == "expert_linear")
      addTails(graph, at);
}

/// The launches at `at` and behind it become one, of this kernel.
void TailFuser::joinAtCounters(GraphSpec &graph, size_t at, int32_t kernel) {
  NodeSpec node = graph.nodes[at];
  append(node, graph.nodes[at + 1]);
  appendOperand(node, WorkspacePart, counters);
  hasCounters = true;
  node.kind += "+" + graph.nodes[at + 1].kind;
  node.kernel = kernel;
  replace(graph, at, 2, std::move(node));
}

/// The last block of a token goes on with hc_pre.
bool TailFuser::fusePre(GraphSpec &graph, size_t at) {
  const NodeSpec &mix = graph.nodes[at], &pre = graph.nodes[at + 1];
  bool combines = mix.kind == "combine+hc_mix";
  if ((mix.kind != "hc_mix" && !combines) || pre.kind != "hc_pre+encode" ||
      !sameAddress(operandAt(mix, offsetof(HcMixParams, partials)),
                   operandAt(pre, offsetof(HcPreParams, partials))))
    return false;
  const KernelSpec &a = kernels.of(mix), &b = kernels.of(pre);
  std::string key = "pre " + a.symbol + " " + b.symbol;
  auto index = kernels.known(key);
  if (!index) {
    std::string name = kernels.next();
    auto first = entryOf(a, name + "_a"), second = entryOf(b, name + "_b");
    if (!first || !second || second->args.size() != 1)
      return false;
    KernelSpec fused = a;
    fused.symbol = "k_" + name;
    fused.header = std::string(fusedFolder) + "mix_pre.cuh";
    fused.sharedBytes = int32_t(kern::roundUp(a.sharedBytes, 16) +
                                kern::roundUp(b.sharedBytes, 4) + 4);
    fused.paramsBytes = a.paramsBytes + b.paramsBytes + 8;
    std::string configs;
    for (const std::string &arg : first->args)
      configs += arg + ", ";
    configs += second->args[0];
    fused.text = first->rest + second->rest + "static_assert(MixPrePlan<" +
                 first->args[0] + ", " + second->args[0] +
                 ">::SharedBytes == " + std::to_string(fused.sharedBytes) +
                 ");\nDSV4_ENTRY(" + fused.symbol + ", " +
                 (combines ? "CombineMixPreParams, " : "HcMixPreParams, ") +
                 std::to_string(fused.threads) + ", " +
                 (combines ? "combineMixPre<" : "mixPre<") + configs + ">)\n";
    index = kernels.add(key, std::move(fused));
  }
  joinAtCounters(graph, at, *index);
  return true;
}

/// The last block of all goes on with top_k.
bool TailFuser::fuseTopK(GraphSpec &graph, size_t at) {
  const NodeSpec &score = graph.nodes[at], &top = graph.nodes[at + 1];
  if (score.kind != "index_score" || top.kind != "top_k" ||
      graph.tokens > options.serialTokens ||
      !sameAddress(operandAt(score, offsetof(IndexScoreParams, scores)),
                   operandAt(top, offsetof(TopKParams, scores))))
    return false;
  const KernelSpec &a = kernels.of(score), &b = kernels.of(top);
  std::string key = "top_k " + a.symbol + " " + b.symbol;
  auto index = kernels.known(key);
  if (!index) {
    std::string name = kernels.next();
    auto first = entryOf(a, name + "_a"), second = entryOf(b, name + "_b");
    if (!first || !second || first->args.size() != 1 ||
        second->args.size() != 1)
      return false;
    int32_t warps = a.threads / 32, shared = warps * 1024 + 2 * warps * 4 + 16;
    KernelSpec fused = a;
    fused.symbol = "k_" + name;
    fused.header = std::string(fusedFolder) + "score_top_k.cuh";
    fused.sharedBytes = std::max(a.sharedBytes, shared) + 16;
    fused.paramsBytes = a.paramsBytes + b.paramsBytes + 8;
    std::string configs = first->args[0] + ", " + name + "_top";
    fused.text =
        first->rest + second->rest + "struct " + name +
        "_top : " + second->args[0] +
        " {\n  static constexpr int Threads = " + std::to_string(a.threads) +
        ";\n};\nstatic_assert(" + "ScoreTopKPlan<" + configs +
        ">::SharedBytes == " + std::to_string(fused.sharedBytes) +
        ");\nDSV4_ENTRY(" + fused.symbol + ", ScoreTopKParams, " +
        std::to_string(fused.threads) + ", scoreTopK<" + configs + ">)\n";
    index = kernels.add(key, std::move(fused));
  }
  joinAtCounters(graph, at, *index);
  return true;
}

void TailFuser::rowTails(GraphSpec &graph) {
  for (size_t at = 0; at + 1 < graph.nodes.size(); ++at)
    if (graph.nodes[at].kernel >= 0 && !fusePre(graph, at))
      fuseTopK(graph, at);
}

} // namespace dsv4::cuda
