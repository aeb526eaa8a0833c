// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TileConfigs.h.

#include "targets/common/TileConfigs.h"

#include "llvm/ADT/Twine.h"

using llvm::StringRef;

namespace dsv4 {

Tuning heuristicTuning(const TargetDesc &target) {
  Tuning out;
  out.dot = target.order == num::DotOrder::Split ? DotForm::F32 : target.dot;
  // Chains of so many rows x two tiles hide the latency of the dot product and
  // stay in registers beside weights and inputs: 32 of 16 lanes with AVX-512,
  // 16 of 8 or 4 lanes below. With BF16 dots the totals of six stay there too,
  // but Zen 5, which starts two dots a cycle, needs the chains of eight.
  bool isAmd = out.dot == DotForm::Bf16;
  bool isZen4 = isAmd && target.tune == "znver4";
  out.microRows = isZen4                             ? 6
                  : target.level >= IsaLevel::Avx512 ? 8
                  : target.level == IsaLevel::Avx2   ? 2
                                                     : 1;
  // Four tiles share each input that is loaded, which Intel's first cache
  // needs; AMD's cores read one stream a third faster than four (measured on
  // Zen 4), and their dot instruction takes inputs from memory. Narrower
  // vectors have no registers for more than one.
  out.streamTiles = target.level < IsaLevel::Avx512 || isAmd ? 1 : 4;
  // About a page ahead over all streams (the hardware stops at page ends): with
  // AVX-512 there are four. A single stream the hardware follows by itself, at
  // the rate of Zen 4; a core of Zen 5 reads half as much again.
  int64_t ahead = isZen4                             ? -1
                  : isAmd                            ? 8192
                  : target.level >= IsaLevel::Avx512 ? 2048
                  : target.level == IsaLevel::Avx2   ? 4096
                                                     : -1;
  std::fill(std::begin(out.prefetchBytes), std::end(out.prefetchBytes), ahead);
  constexpr int bf16 = 2; // in the order of TuningProfile.h
  // Lines of BF16 come as fast as the hardware's own prefetches.
  if (isAmd)
    out.prefetchBytes[bf16] = -1;
  return out;
}

Tuning mergeTuning(const Tuning &first, const Tuning &second) {
  Tuning out = first;
  if (out.dot == DotForm::Auto)
    out.dot = second.dot;
  if (!out.microRows)
    out.microRows = second.microRows;
  if (!out.streamTiles)
    out.streamTiles = second.streamTiles;
  for (int i = 0; i < 4; ++i)
    if (!out.prefetchBytes[i])
      out.prefetchBytes[i] = second.prefetchBytes[i];
  return out;
}

llvm::Error setTuning(Tuning &tuning, StringRef keyAndValue) {
  auto [key, value] = keyAndValue.split('=');
  // The keys are those of a profile, so its reader judges them.
  std::string quoted = value.str();
  if (key == "dot")
    quoted = "\"" + quoted + "\"";
  auto [format, inner] = key.split('.');
  std::string text =
      inner.empty()
          ? (key + " = " + quoted + "\n").str()
          : ("[tiles." + format + "]\n" + inner + " = " + quoted + "\n").str();
  bool isKnown =
      key == "dot" || key == "micro_rows" || key == "stream_tiles" ||
      (inner == "prefetch_bytes" &&
       llvm::is_contained(llvm::ArrayRef(TileFormatNames, NumStreamFormats),
                          format));
  if (!isKnown)
    return llvm::createStringError(
        "expected dot, micro_rows, stream_tiles or FORMAT.prefetch_bytes "
        "(fp4, fp8, bf16) = VALUE, got '" +
        keyAndValue + "'");
  auto parsed = parseProfile(text, "--config " + keyAndValue.str());
  if (!parsed)
    return parsed.takeError();
  tuning = mergeTuning(parsed->tuning, tuning);
  return llvm::Error::success();
}

Tuning legalTuning(const TargetDesc &target, Tuning tuning) {
  if (target.level < IsaLevel::Avx512Bf16 ||
      target.order == num::DotOrder::Split) // the instruction has one chain
    tuning.dot = DotForm::Auto;
  if (target.level < IsaLevel::Avx512) // registers for one tile alone
    tuning.streamTiles = 0;
  return tuning;
}

std::vector<ConfigLine> configLines(const TargetDesc &target, Tuning flags,
                                    Tuning profile) {
  flags = legalTuning(target, flags);
  profile = legalTuning(target, profile);
  Tuning heuristic = heuristicTuning(target);
  std::vector<ConfigLine> out;
  auto add = [&](std::string key, auto choice, auto isMade, auto text) {
    for (auto [tuning, source] : {std::pair{&flags, "flag"},
                                  {&profile, "profile"},
                                  {&heuristic, "heuristic"}})
      if (isMade(choice(*tuning)))
        return out.push_back({key, text(choice(*tuning)), source});
  };
  auto isSet = [](int64_t value) { return value != 0; };
  auto number = [](int64_t value) { return std::to_string(value); };
  add(
      "dot", [](const Tuning &t) { return t.dot; },
      [](DotForm form) { return form != DotForm::Auto; },
      [](DotForm form) {
        return std::string(form == DotForm::Bf16 ? "bf16" : "f32");
      });
  add("micro_rows", [](const Tuning &t) { return t.microRows; }, isSet, number);
  add(
      "stream_tiles", [](const Tuning &t) { return t.streamTiles; }, isSet,
      number);
  for (int i = 0; i < NumStreamFormats; ++i)
    add(
        std::string(TileFormatNames[i]) + ".prefetch_bytes",
        [i](const Tuning &t) { return t.prefetchBytes[i]; }, isSet, number);
  return out;
}

} // namespace dsv4
