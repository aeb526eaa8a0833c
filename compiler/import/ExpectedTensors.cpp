// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensor tables of model.md 2.2 as a function of the config, and the name
// mapping of 2.4.

#include "compiler/import/Checkpoint.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using llvm::StringRef;

namespace dsv4 {

namespace {

/// Collects expected tensors below a prefix.
class Table {
public:
  explicit Table(std::vector<ExpectedTensor> &Out) : Out(Out) {}

  void add(const std::string &Name, std::vector<int64_t> Shape, DType Type) {
    Out.push_back({Name, std::move(Shape), Type});
  }
  void fp8(const std::string &Name, int64_t N, int64_t K) {
    add(Name + ".weight", {N, K}, DType::F8_E4M3);
    add(Name + ".scale", {(N + 127) / 128, (K + 127) / 128}, DType::F8_E8M0);
  }
  void fp4(const std::string &Name, int64_t N, int64_t K) {
    add(Name + ".weight", {N, K / 2}, DType::I8);
    add(Name + ".scale", {N, K / 32}, DType::F8_E8M0);
  }
  void bf16(const std::string &Name, std::vector<int64_t> Shape) {
    add(Name + ".weight", std::move(Shape), DType::BF16);
  }
  void f32(const std::string &Name, std::vector<int64_t> Shape) {
    add(Name, std::move(Shape), DType::F32);
  }

private:
  std::vector<ExpectedTensor> &Out;
};

void addCompressor(Table &T, const std::string &P, int64_t Ratio, int64_t Size,
                   int64_t Hidden) {
  int64_t Width = Ratio == 4 ? 2 * Size : Size;
  T.f32(P + "ape", {Ratio, Width});
  T.bf16(P + "wkv", {Width, Hidden});
  T.bf16(P + "wgate", {Width, Hidden});
  T.bf16(P + "norm", {Size});
}

void addAttention(Table &T, const ModelConfig &C, const std::string &P,
                  int64_t Ratio) {
  T.f32(P + "attn_sink", {C.NumHeads});
  T.fp8(P + "wq_a", C.QLoraRank, C.HiddenSize);
  T.bf16(P + "q_norm", {C.QLoraRank});
  T.fp8(P + "wq_b", C.NumHeads * C.HeadDim, C.QLoraRank);
  T.fp8(P + "wkv", C.HeadDim, C.HiddenSize);
  T.bf16(P + "kv_norm", {C.HeadDim});
  T.fp8(P + "wo_a", C.OGroups * C.OLoraRank,
        C.NumHeads * C.HeadDim / C.OGroups);
  T.fp8(P + "wo_b", C.HiddenSize, C.OGroups * C.OLoraRank);
  if (Ratio)
    addCompressor(T, P + "compressor.", Ratio, C.HeadDim, C.HiddenSize);
  if (Ratio == 4) {
    T.fp8(P + "indexer.wq_b", C.IndexHeads * C.IndexDim, C.QLoraRank);
    T.bf16(P + "indexer.weights_proj", {C.IndexHeads, C.HiddenSize});
    addCompressor(T, P + "indexer.compressor.", Ratio, C.IndexDim,
                  C.HiddenSize);
  }
}

void addExperts(Table &T, const ModelConfig &C, const std::string &P,
                ExpertFormat Experts) {
  for (int64_t E = 0; E < C.NumExperts; ++E) {
    std::string Q = P + "experts." + std::to_string(E) + ".";
    for (auto [Name, N, K] : {std::tuple{"w1", C.MoeInter, C.HiddenSize},
                              {"w3", C.MoeInter, C.HiddenSize},
                              {"w2", C.HiddenSize, C.MoeInter}})
      if (Experts == ExpertFormat::Fp8)
        T.fp8(Q + Name, N, K);
      else
        T.fp4(Q + Name, N, K);
  }
  T.fp8(P + "shared_experts.w1", C.MoeInter, C.HiddenSize);
  T.fp8(P + "shared_experts.w3", C.MoeInter, C.HiddenSize);
  T.fp8(P + "shared_experts.w2", C.HiddenSize, C.MoeInter);
}

void addLayer(Table &T, const ModelConfig &C, const std::string &P,
              int64_t Ratio, bool Hashed, ExpertFormat Experts) {
  int64_t Rows = C.HcMult * (2 + C.HcMult);
  T.bf16(P + "attn_norm", {C.HiddenSize});
  T.bf16(P + "ffn_norm", {C.HiddenSize});
  for (const char *Part : {"hc_attn_", "hc_ffn_"}) {
    T.f32(P + Part + "fn", {Rows, C.HcMult * C.HiddenSize});
    T.f32(P + Part + "base", {Rows});
    T.f32(P + Part + "scale", {3});
  }
  addAttention(T, C, P + "attn.", Ratio);
  T.bf16(P + "ffn.gate", {C.NumExperts, C.HiddenSize});
  if (Hashed)
    T.add(P + "ffn.gate.tid2eid", {C.VocabSize, C.ExpertsPerToken}, DType::I64);
  else
    T.f32(P + "ffn.gate.bias", {C.NumExperts});
  addExperts(T, C, P + "ffn.", Experts);
}

} // namespace

std::vector<ExpectedTensor> expectedTensors(const ModelConfig &C,
                                            ExpertFormat Experts) {
  std::vector<ExpectedTensor> Out;
  Table T(Out);
  T.bf16("embed", {C.VocabSize, C.HiddenSize});
  for (int64_t I = 0; I < C.NumLayers; ++I)
    addLayer(T, C, "layers." + std::to_string(I) + ".", C.CompressRatios[I],
             I < C.NumHashLayers, Experts);
  T.bf16("head", {C.VocabSize, C.HiddenSize});
  T.bf16("norm", {C.HiddenSize});
  T.f32("hc_head_fn", {C.HcMult, C.HcMult * C.HiddenSize});
  T.f32("hc_head_base", {C.HcMult});
  T.f32("hc_head_scale", {1});
  return Out;
}

std::vector<ExpectedTensor> draftTensors(const ModelConfig &C,
                                         ExpertFormat Experts, int64_t Stage) {
  std::vector<ExpectedTensor> Out;
  Table T(Out);
  std::string P = "mtp." + std::to_string(Stage) + ".";
  int64_t H = C.HiddenSize;
  addLayer(T, C, P, /*Ratio=*/0, /*Hashed=*/false, Experts);
  bool Spark = C.Draft == DraftKind::DSpark;
  if (!Spark) {
    T.fp8(P + "e_proj", H, H);
    T.fp8(P + "h_proj", H, H);
    T.bf16(P + "enorm", {H});
    T.bf16(P + "hnorm", {H});
  } else if (Stage == 0) {
    T.fp8(P + "main_proj", H, C.DraftTargets * H);
    T.bf16(P + "main_norm", {H});
  }
  if (!Spark || Stage == C.DraftStages - 1) {
    T.bf16(P + "norm", {H});
    T.f32(P + "hc_head_fn", {C.HcMult, C.HcMult * H});
    T.f32(P + "hc_head_base", {C.HcMult});
    T.f32(P + "hc_head_scale", {1});
  }
  if (Spark && Stage == C.DraftStages - 1) {
    T.bf16(P + "markov_head.markov_w1", {C.VocabSize, C.DraftRank});
    T.bf16(P + "markov_head.markov_w2", {C.VocabSize, C.DraftRank});
    T.bf16(P + "confidence_head.proj", {1, H + C.DraftRank});
  }
  T.bf16(P + "embed", {C.VocabSize, H});
  T.bf16(P + "head", {C.VocabSize, H});
  return Out;
}

StringRef tensorClass(StringRef Name) {
  // The first match decides.
  static constexpr std::pair<StringRef, StringRef> Classes[] = {
      {"mtp.", "draft heads"},         {".shared_experts.", "shared experts"},
      {".experts.", "routed experts"}, {".indexer.", "indexers"},
      {".compressor.", "compressors"}, {".gate.", "routers"},
      {"hc_", "hyper-connections"},    {"embed", "embedding"},
      {"head", "output head"},         {".attn.", "attention"},
  };
  for (auto [Part, Class] : Classes)
    if (Name.contains(Part))
      return Class;
  return "norms";
}

/// One segment of a Hugging Face style name; `In` is the part around it.
static StringRef officialSegment(StringRef Segment, StringRef In) {
  static const std::pair<StringRef, StringRef> Table[] = {
      {"embed_tokens", "embed"},
      {"lm_head", "head"},
      {"input_layernorm", "attn_norm"},
      {"post_attention_layernorm", "ffn_norm"},
      {"self_attn", "attn"},
      {"mlp", "ffn"},
      {"sinks", "attn_sink"},
      {"q_a_proj", "wq_a"},
      {"q_b_proj", "wq_b"},
      {"kv_proj", "wkv"},
      {"o_a_proj", "wo_a"},
      {"o_b_proj", "wo_b"},
      {"q_a_norm", "q_norm"},
      {"position_bias", "ape"},
      {"e_score_correction_bias", "bias"},
      {"weight_scale_inv", "scale"},
      {"up_proj", "w3"},
      {"down_proj", "w2"},
  };
  if (Segment == "gate_proj")
    return In == "compressor" ? "wgate" : "w1";
  if (Segment == "kv_norm" && In == "compressor")
    return "norm";
  for (auto [From, To] : Table)
    if (Segment == From)
      return To;
  return Segment;
}

std::string officialName(StringRef Name) {
  Name.consume_front("model.");
  llvm::SmallVector<StringRef> Parts;
  Name.split(Parts, '.');
  llvm::SmallVector<std::string> Out;
  for (size_t I = 0; I < Parts.size(); ++I) {
    StringRef Part = Parts[I];
    // attn_hc.fn -> hc_attn_fn, hc_head.hc_fn -> hc_head_fn
    if ((Part == "attn_hc" || Part == "ffn_hc") && I + 1 < Parts.size()) {
      Out.push_back("hc_" + Part.drop_back(3).str() + "_" + Parts[++I].str());
      continue;
    }
    if (Part == "hc_head" && I + 1 < Parts.size()) {
      StringRef Leaf = Parts[++I];
      Leaf.consume_front("hc_");
      Out.push_back("hc_head_" + Leaf.str());
      continue;
    }
    // compressor.indexer.X: the indexer, or the indexer's own compressor.
    if (Part == "compressor" && I + 2 < Parts.size() &&
        Parts[I + 1] == "indexer") {
      Out.push_back("indexer");
      I += Parts[I + 2] == "scorer" ? 2 : 1;
      StringRef Next = I + 1 < Parts.size() ? Parts[I + 1] : "";
      if (Next == "kv_proj" || Next == "gate_proj" || Next == "kv_norm" ||
          Next == "position_bias")
        Out.push_back("compressor");
      continue;
    }
    Out.push_back(
        officialSegment(Part, Out.empty() ? StringRef() : StringRef(Out.back()))
            .str());
  }
  return llvm::join(Out, ".");
}

} // namespace dsv4
