// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lowering of every phase uses: kernels made once per distinct
// config, places of operands, workspace, and the chain of launches of the graph
// at hand. docs/cuda-lowering.md says how a phase is added.

#ifndef DSV4_TARGETS_CUDA_LOWER_PROGRAMBUILDER_H
#define DSV4_TARGETS_CUDA_LOWER_PROGRAMBUILDER_H

#include "dialects/kern/IR/KernOps.h"
#include "targets/cuda/CudaProgram.h"
#include "targets/cuda/CudaTarget.h"
#include "targets/cuda/lower/LowerProgram.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <cstring>

namespace dsv4::cuda {

/// The members of a config struct, as text. Floats are hexadecimal, so that
/// none is rounded twice.
class ConfigText {
public:
  ConfigText(const char *integerType = "u32") : integerType(integerType) {}
  ConfigText &integer(llvm::StringRef name, int64_t value);
  ConfigText &boolean(llvm::StringRef name, bool value);
  ConfigText &real(llvm::StringRef name, float value);
  /// `value` is C++: "EntryRows::All".
  ConfigText &other(llvm::StringRef type, llvm::StringRef name,
                    llvm::StringRef value);
  const std::string &text() const { return lines; }

private:
  const char *integerType;
  std::string lines;
};

/// A phase body and how it is instantiated. "{C}" stands for the config.
struct KernelChoice {
  std::string family;  // "norm_quant"
  std::string header;  // below targets/cuda/device/phases
  std::string params;  // "NormQuantParams"
  std::string body;    // "normQuant<{C}>"
  ConfigText config{}; // empty: the body takes none
  int32_t threads = 0; // of a block
  int32_t sharedBytes = 0;
  int32_t blocksPerSm = 0; // as of KernelSpec
  /// What must hold of {C}; the device's compiler checks that the figures here
  /// are the body's own.
  std::string check{};
};

/// Byte `offset` of a part.
struct Place {
  int32_t part = 0;
  kern::Affine offset;
  Place operator+(int64_t bytes) const {
    return {part, offset + kern::Affine{bytes, 0}};
  }
};

/// Parameters of a launch and the addresses in them.
template <class P> struct Launch {
  P params{};
  std::vector<OperandSpec> operands;

  /// `member`, a pointer inside params, will hold the address of `place`.
  void bind(const void *member, Place place) {
    auto at = static_cast<const char *>(member) -
              reinterpret_cast<const char *>(&params);
    operands.push_back({place.part, int32_t(at), place.offset});
  }
};

class ProgramBuilder {
public:
  ProgramBuilder(kern::ProgramOp program, const CudaTarget &target,
                 const LowerOptions &options, const Placement &placement);

  kern::ProgramOp program;
  const CudaTarget &target;
  const LowerOptions options;
  const Placement &placement;
  const int64_t multiprocessors;
  int64_t tokens = 0, outputs = 0; // of the graph at hand, at most

  /// Steps of so few rows leave parts of K to a launch of their own.
  bool isDecode() const { return tokens <= DecodeTokens; }
  static constexpr int64_t DecodeTokens = 8;
  int64_t expertsPerToken() { return program.getExpertsPerToken(); }

  // ---- Places
  /// Of a buffer, a state or a weight that planning has placed.
  Place placeOf(mlir::Value value);
  /// Of a stack's experts that are on the host.
  Place coldPlaceOf(const Placement::Weight &stack) {
    return {coldPartOf(stack), {stack.coldOffset, 0}};
  }
  Place stepPlace(int64_t byte = 0) { return {StepPart, {byte, 0}}; }
  /// &step->tokens or &step->outputs.
  Place rowsPlace(bool ofOutputs);
  /// Memory that only the launches of the phase at hand use, and those that
  /// run with them.
  Place workspace(int64_t bytes);
  /// The same bytes for all attentions of the graph, which follow one another:
  /// at long steps they are most of the workspace, and places of their own
  /// would find no gap between what lingers.
  Place attentionWorkspace(int64_t bytes);
  /// The place of rows that an earlier phase of the graph has encoded as blocks
  /// of so many bytes, if nobody has written the rows or their place since;
  /// kept for this phase.
  std::optional<Place> encoded(mlir::Value rows, int64_t blockBytes);
  void setEncoded(mlir::Value rows, int64_t blockBytes, Place place);

  // ---- Launches
  /// Workspace of earlier phases is let go, soon where launches are fused.
  void beginPhase(kern::KernPhaseOpInterface op);
  template <class P>
  void launch(llvm::StringRef kind, const KernelChoice &choice,
              const Launch<P> &what, int64_t grid) {
    std::vector<uint8_t> bytes(sizeof(P));
    std::memcpy(bytes.data(), &what.params, sizeof(P));
    addLaunch(kind, kernel(choice, sizeof(P)), std::move(bytes), what.operands,
              grid);
  }
  /// Blocks for so many items, `perSm` on a multiprocessor at most.
  int64_t gridFor(int64_t items, int64_t perSm = 1) const {
    return std::max<int64_t>(1, std::min(items, multiprocessors * perSm));
  }

  /// Kept for the end, so that lowering code stays straight.
  void fail(const llvm::Twine &what);

  // ---- Graphs
  void beginGraph(llvm::StringRef name, int64_t tokens, int64_t outputs);
  void endGraph();
  llvm::Expected<CudaProgram> finish();

private:
  int32_t kernel(const KernelChoice &choice, size_t paramsBytes);
  void addLaunch(llvm::StringRef kind, int32_t kernel,
                 std::vector<uint8_t> params,
                 const std::vector<OperandSpec> &operands, int64_t grid);
  void addNode(NodeSpec node);
  void addParts();
  int32_t firstMappedPart() const;
  /// Where cold matrices of a weight lie.
  int32_t coldPartOf(const Placement::Weight &weight) const;
  int64_t stepBytes();

  CudaProgram result;
  llvm::StringMap<int32_t> kernels; // by everything that is not its symbol
  llvm::StringMap<int32_t> numbers; // next of a family
  std::string phase, problem;
  /// Workspace that is taken, up to FusedPhases behind its last phase if
  /// launches will be fused; else of the phase at hand.
  struct Taken {
    int64_t begin, end, last;
  };
  std::vector<Taken> taken;
  std::optional<Taken> ofAttention; // one of them
  struct Encoding {
    mlir::Value rows;
    int64_t blockBytes;
    Place place;
  };
  std::vector<Encoding> encodings; // as many as are taken, at most
  int64_t phaseNumber = 0, workspaceBytes = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_PROGRAMBUILDER_H
