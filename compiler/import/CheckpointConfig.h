// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// config.json in the published form and in the form of the official inference
// code (model.md 1), checked key by key: what the compiler does not know it
// refuses by name, and a number outside its range is refused with the range.

#ifndef DSV4_COMPILER_IMPORT_CHECKPOINTCONFIG_H
#define DSV4_COMPILER_IMPORT_CHECKPOINTCONFIG_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dsv4 {

/// How the routed experts are stored.
enum class ExpertFormat { Infer, Fp4, Fp8 };

/// What the checkpoint's mtp.* tensors are; they are left out of the program.
enum class DraftKind { None, Mtp, DSpark };

/// The architecture in the paper's terms; model.md 1.1 has the official values.
struct ModelConfig {
  int64_t VocabSize = 0, HiddenSize = 0, NumLayers = 0;
  int64_t NumHeads = 0, HeadDim = 0, RopeDims = 0, QLoraRank = 0;
  int64_t OGroups = 0, OLoraRank = 0, Window = 0;
  int64_t NumExperts = 0, ExpertsPerToken = 0, MoeInter = 0, NumHashLayers = 0;
  int64_t HcMult = 0, SinkhornIters = 0;
  int64_t IndexHeads = 0, IndexDim = 0, IndexTopK = 0;
  int64_t MaxPositions = 0, Bos = 0, Eos = 1;
  int64_t RopeTheta = 0, CompressRopeTheta = 0;
  int64_t YarnFactor = 0, YarnOriginal = 0, YarnBetaFast = 0, YarnBetaSlow = 0;
  double RouteScale = 0, SwigluLimit = 0, NormEps = 1e-6, HcEps = 1e-6;
  /// Of the main layers: 0 (window only), 4 or 128.
  std::vector<int64_t> CompressRatios;
  ExpertFormat Experts = ExpertFormat::Infer;
  DraftKind Draft = DraftKind::None;
  int64_t DraftStages = 0;
  /// Of DSpark: width of the Markov head, layers that feed the first stage.
  int64_t DraftRank = 0, DraftTargets = 0;
  /// Of generation_config.json, or the defaults.
  double Temperature = 1.0, TopP = 1.0;
  /// Keys that nothing here reads, for a warning.
  std::vector<std::string> UnknownKeys;
};

/// Parses the text of a config.json; `Path` is for messages.
llvm::Expected<ModelConfig> parseConfig(llvm::StringRef Path,
                                        llvm::StringRef Text);

/// Adds temperature and top_p of a generation_config.json. The end token is
/// that of config.json; the official files name the same one.
llvm::Error parseGenerationConfig(llvm::StringRef Path, llvm::StringRef Text,
                                  ModelConfig &Config);

/// "Flash", "Flash (release day)", "Flash-0731" by the SHA-256 of config.json
/// (model.md 1.1), or "" for a release that is not known.
llvm::StringRef releaseOfConfig(llvm::StringRef Sha256);

/// Lower-case hex SHA-256.
std::string sha256Hex(llvm::StringRef Bytes);

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_CHECKPOINTCONFIG_H
