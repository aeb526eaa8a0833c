// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the interpreter one at a time, on inputs so small that the comments
// work the outputs out by hand. Inputs enter as results of dsv4.embed that the
// observer replaces; weights are tensors of the synthetic checkpoint, read in
// the shape that the IR gives them.

#include "compiler/reference/Interpreter.h"
#include "compiler/pipeline/Pipelines.h"
#include "compiler/reference/Comparison.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "test/unit/import/ImportTestSupport.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace dsv4;
using namespace dsv4::reference;
using Floats = std::vector<float>;
using Ids = std::vector<int32_t>;

namespace {

/// `Count` copies of X.
Floats times(int64_t Count, float X) { return Floats(size_t(Count), X); }

Floats operator+(Floats A, const Floats &B) {
  A.insert(A.end(), B.begin(), B.end());
  return A;
}

class InterpreterTest : public testing::Test {
protected:
  /// Replaces the first values of an F32 tensor of the checkpoint.
  void setF32(const char *Name, const Floats &Values, size_t From = 0) {
    std::string &Bytes = Source.tensor(Name).Bytes;
    ASSERT_LE(4 * (From + Values.size()), Bytes.size()) << Name;
    memcpy(Bytes.data() + 4 * From, Values.data(), 4 * Values.size());
  }
  /// The same value for all of a BF16 tensor; on the BF16 grid.
  void fillBf16(const char *Name, float Value) {
    uint32_t Bits;
    memcpy(&Bits, &Value, 4);
    std::string &Bytes = Source.tensor(Name).Bytes;
    for (size_t I = 0; I < Bytes.size(); I += 2) {
      Bytes[I] = char(Bits >> 16);
      Bytes[I + 1] = char(Bits >> 24);
    }
  }

  /// Declares %NAME with these values, [tokens, Width...].
  void input(const std::string &Name, std::vector<int64_t> Shape, Floats F) {
    addInput(Name, Shape, "bf16").F = std::move(F);
  }
  void input(const std::string &Name, std::vector<int64_t> Shape, Ids I) {
    addInput(Name, Shape, "i32").I = std::move(I);
  }
  void op(const std::string &Text) { Body += Text + "\n"; }

  /// Runs the ops over the tokens, in steps of `Step`; what has a trace name.
  std::map<std::string, Value> run(const Ids &Tokens, size_t Step = 1 << 20) {
    std::map<std::string, Value> Out;
    mlir::DialectRegistry Registry;
    registerPipelineDialects(Registry);
    mlir::MLIRContext Context(Registry);
    // Inputs are of any type, which dsv4.embed's verifier would refuse.
    auto Module = mlir::parseSourceString<mlir::ModuleOp>(
        "dsv4.model @m attributes {config = {}, identity = \"test\"} {\n"
        "^bb0(%t: tensor<?xi32>, %p: tensor<?xi32>):\n"
        "%e = dsv4.weight \"embed.weight\" : <8x1, bf16>\n" +
            Body + "dsv4.return %e0 : tensor<?x1xf32>\n}",
        mlir::ParserConfig(&Context, /*verifyAfterParse=*/false));
    TempFolder Folder;
    Source.write(Folder);
    auto Opened = Checkpoint::open(Folder.root());
    if (!Module || !Opened) {
      ADD_FAILURE() << messageOf(Opened.takeError()) << Body;
      return Out;
    }
    Interpreter Run(*Module->getOps<graph::ModelOp>().begin(), *Opened);
    int64_t Done = 0;
    Run.observe([&](llvm::StringRef Name, Value &V) {
      if (auto In = Inputs.find(Name.str()); In != Inputs.end()) {
        V = slice(In->second, Done, V.rows());
        return;
      }
      Value &All = Out[Name.str()];
      All.Shape = V.Shape;
      All.F.insert(All.F.end(), V.F.begin(), V.F.end());
      All.I.insert(All.I.end(), V.I.begin(), V.I.end());
    });
    for (size_t At = 0; At < Tokens.size(); At += Step) {
      auto Part = llvm::ArrayRef(Tokens).drop_front(At).take_front(Step);
      EXPECT_EQ(test::messageOf(Run.run(Part)), "");
      Done += Part.size();
    }
    return Out;
  }

  test::FakeCheckpoint Source;

private:
  using TempFolder = test::TempFolder;
  static std::string messageOf(llvm::Error E) {
    return test::messageOf(std::move(E));
  }

  Value &addInput(const std::string &Name, std::vector<int64_t> Shape,
                  const std::string &Element) {
    Body += "%" + Name + " = " + embed("trace = [\"" + Name + "\"]");
    for (size_t I = 1; I < Shape.size(); ++I)
      Body += std::to_string(Shape[I]) + "x";
    Body += Element + ">\n";
    Value &V = Inputs[Name];
    V.Shape = std::move(Shape);
    return V;
  }
  static std::string embed(const std::string &Attributes) {
    return "\"dsv4.embed\"(%t, %e) {" + Attributes +
           "} : (tensor<?xi32>, !qfmt.weight<8x1, bf16>) -> tensor<?x";
  }

  std::map<std::string, Value> Inputs;
  std::string Body = "%e0 = " + embed("") + "1xf32>\n";
};

//===----------------------------------------------------------------------===//
// Hyper-connections
//===----------------------------------------------------------------------===//

/// Two streams of 128, all 2: the mean square is 4, so a row of fn that is f in
/// its first column and else 0 gives m = 2 f / sqrt(4) = f.
class HyperOps : public InterpreterTest {
protected:
  void SetUp() override {
    input("x", {1, 2, 128}, times(256, 2));
    // Two for pre, two for post, four for comb.
    const Floats M = {4, 200, 3, 100, 1, 200, 0, -5};
    for (size_t I = 0; I < M.size(); ++I)
      setF32("layers.0.hc_attn_fn", {M[I]}, I * 256);
    setF32("layers.0.hc_attn_scale", {0.5f, 2, -1});
    setF32("layers.0.hc_attn_base", {-2, 0, -6, 0, 1, 0, 0, -5});
  }
};

TEST_F(HyperOps, Mix) {
  op(R"(%fn = dsv4.weight "layers.0.hc_attn_fn" : <8x256, f32>
        %s = dsv4.weight "layers.0.hc_attn_scale" : <3, f32>
        %b = dsv4.weight "layers.0.hc_attn_base" : <8, f32>
        %pre, %post, %comb = dsv4.hc_mix %x, %fn, %s, %b
          {hc_eps = 0.25 : f32, norm_eps = 0.0 : f32, sinkhorn_iters = 1 : i64,
           trace = ["pre", "post", "comb"]}
          : (tensor<?x2x128xbf16>, !qfmt.weight<8x256, f32>,
             !qfmt.weight<3, f32>, !qfmt.weight<8, f32>)
          -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2x2xf32>))");
  auto Out = run({0});
  // pre = sigmoid(m * 0.5 + base) + 0.25: sigmoid(4/2 - 2) = 1/2, and
  // sigmoid(100) = 1.
  EXPECT_EQ(Out["pre"].F, Floats({0.75f, 1.25f}));
  // post = 2 sigmoid(m * 2 + base), no epsilon: 2 sigmoid(6 - 6), 2
  // sigmoid(200).
  EXPECT_EQ(Out["post"].F, Floats({1, 2}));
  // comb: logits -m + base are (0, -200), (0, 0); softmax of the rows (1, 0),
  // (1/2, 1/2); plus 1/4 (5/4, 1/4), (3/4, 3/4); the columns' sums 2 and 1,
  // plus 1/4 each: (5/4) / (9/4), (1/4) / (5/4), (3/4) / (9/4), (3/4) / (5/4).
  const Floats Comb = {5.0f / 9, 1.0f / 5, 1.0f / 3, 3.0f / 5};
  ASSERT_EQ(Out["comb"].F.size(), 4u);
  for (size_t I = 0; I < 4; ++I)
    EXPECT_FLOAT_EQ(Out["comb"].F[I], Comb[I]) << I;
}

TEST_F(HyperOps, HeadMix) {
  op(R"(%fn = dsv4.weight "layers.0.hc_attn_fn" : <2x256, f32>
        %s = dsv4.weight "layers.0.hc_attn_scale" : <1, f32>
        %b = dsv4.weight "layers.0.hc_attn_base" : <2, f32>
        %pre = dsv4.hc_head_mix %x, %fn, %s, %b
          {hc_eps = 0.25 : f32, norm_eps = 12.0 : f32, trace = ["pre"]}
          : (tensor<?x2x128xbf16>, !qfmt.weight<2x256, f32>,
             !qfmt.weight<1, f32>, !qfmt.weight<2, f32>) -> tensor<?x2xf32>)");
  // The epsilon of the norm makes sqrt(4 + 12) = 4, so m = f / 2:
  // sigmoid(2 * 0.5 - 1) + 0.25 with a base of -1, sigmoid(100 * 0.5) + 0.25.
  setF32("layers.0.hc_attn_base", {-1, 0});
  EXPECT_EQ(run({0})["pre"].F, Floats({0.75f, 1.25f}));
}

TEST_F(InterpreterTest, HcPre) {
  input("x", {1, 2, 2}, Floats{1, 2, 3, 4});
  input("w", {1, 2}, Floats{0.5f, 2});
  op(R"(%y = dsv4.hc_pre %x, %w {trace = ["y"]}
          : (tensor<?x2x2xbf16>, tensor<?x2xbf16>) -> tensor<?x2xbf16>)");
  // 0.5 (1, 2) + 2 (3, 4)
  EXPECT_EQ(run({0})["y"].F, Floats({6.5f, 9}));
}

TEST_F(InterpreterTest, HcPost) {
  input("out", {1, 2}, Floats{10, 20});
  input("x", {1, 2, 2}, Floats{1, 2, 3, 4});
  input("post", {1, 2}, Floats{0.5f, 2});
  input("comb", {1, 2, 2}, Floats{1, 2, 3, 4});
  op(R"(%y = dsv4.hc_post %out, %x, %post, %comb {trace = ["y"]}
          : (tensor<?x2xbf16>, tensor<?x2x2xbf16>, tensor<?x2xbf16>,
             tensor<?x2x2xbf16>) -> tensor<?x2x2xbf16>)");
  // Stream k: post[k] out + sum over j of comb[j][k] stream j.
  // 0: 0.5 (10, 20) + 1 (1, 2) + 3 (3, 4); 1: 2 (10, 20) + 2 (1, 2) + 4 (3, 4)
  EXPECT_EQ(run({0})["y"].F, Floats({15, 24, 34, 60}));
}

//===----------------------------------------------------------------------===//
// Compressor, indexer, attention
//===----------------------------------------------------------------------===//

/// A KV row is U's of its block by softmax of gate + ape, normed. 32 of its 128
/// channels are 2 and the others 0, so its mean square is 1 and the norm's
/// weight, 1.5, makes 3 of each 2. Only the 64 rotary dims, zero here, turn.
TEST_F(InterpreterTest, CompressOverlapping) {
  // [A | B]: a block is the A halves of the block before, the B halves of its
  // own. Five tokens at ratio 2: entries 0 and 1, and a token that waits.
  auto U = [](Floats A, Floats B) {
    A.resize(128);
    B.resize(128);
    return A + B;
  };
  Floats Zero = times(128, 0);
  Floats Values =
      // Entry 0, channels 0 to 31: token 0 has 2; token 1's 7 gets no weight,
      // since ape is -200 there. Its A half belongs to entry 1.
      U(times(32, 0) + times(16, 8) + times(16, 9), times(32, 2)) +
      U(Zero, times(32, 7)) +
      // Entry 1, channels 32 to 47: the mean of 8, 0, 0, 0. Channels 48 to 63:
      // token 3's 2, whose gate of 200 leaves nothing for token 0's 9.
      // Token 2's A half waits for entry 2, which is not complete.
      U(times(32, 100), Zero) + U(Zero, times(48, 0) + times(16, 2)) +
      U(times(128, 50), times(128, 50));
  Floats Gates = times(5 * 256, 0);
  for (int I = 48; I < 64; ++I)
    Gates[3 * 256 + 128 + I] = 200;
  setF32("layers.0.hc_ffn_fn", times(32, -200), 256 + 128); // of ape [2, 256]
  fillBf16("layers.0.attn_norm.weight", 1.5f);
  setF32("layers.0.attn.attn_sink", {-200});
  input("u", {5, 256}, Values);
  input("g", {5, 256}, Gates);
  input("zero", {5, 1, 128}, times(5 * 128, 0));
  input("kv", {5, 128}, times(5 * 128, 0));
  input("ids", {5, 1}, Ids{-1, -1, -1, 1, 0});
  // All scores are 0, the sink is e^-200 and the window one row of zeros: the
  // heads are the sum of the entries over their number and 1.
  op(R"(%ape = dsv4.weight "layers.0.hc_ffn_fn" : <2x256, f32>
        %norm = dsv4.weight "layers.0.attn_norm.weight" : <128, bf16>
        %sink = dsv4.weight "layers.0.attn.attn_sink" : <1, f32>
        %w = dsv4.state "w" : <window, 1, 128, #qfmt.rows<128, fp8_rope, 64>>
        %c = dsv4.state "c" : <carry, 4, 256>
        %n = dsv4.state "n" : <entries, 2, 128, #qfmt.rows<128, fp8_rope, 64>>
        dsv4.store_window %kv, %p, %w : (tensor<?x128xbf16>, tensor<?xi32>,
          !dsv4.state<window, 1, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()
        dsv4.compress %u, %g, %ape, %norm, %p, %c, %n
          {eps = 0.0 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>}
          : (tensor<?x256xbf16>, tensor<?x256xbf16>, !qfmt.weight<2x256, f32>,
             !qfmt.weight<128, bf16>, tensor<?xi32>,
             !dsv4.state<carry, 4, 256>,
             !dsv4.state<entries, 2, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()
        %one = dsv4.sparse_attention %zero, %p, %sink, %w, %n, %ids
          {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1>, scale = 1.0 : f32,
           trace = ["chosen"]}
          : (tensor<?x1x128xbf16>, tensor<?xi32>, !qfmt.weight<1, f32>,
             !dsv4.state<window, 1, 128, #qfmt.rows<128, fp8_rope, 64>>,
             !dsv4.state<entries, 2, 128, #qfmt.rows<128, fp8_rope, 64>>,
             tensor<?x1xi32>) -> tensor<?x1x128xbf16>
        %all = dsv4.sparse_attention %zero, %p, %sink, %w, %n
          {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0>, scale = 1.0 : f32,
           trace = ["all"]}
          : (tensor<?x1x128xbf16>, tensor<?xi32>, !qfmt.weight<1, f32>,
             !dsv4.state<window, 1, 128, #qfmt.rows<128, fp8_rope, 64>>,
             !dsv4.state<entries, 2, 128, #qfmt.rows<128, fp8_rope, 64>>)
          -> tensor<?x1x128xbf16>)");
  Floats First = times(32, 1.5f) + times(96, 0);                 // 3 / 2
  Floats Second = times(32, 0) + times(32, 1.5f) + times(64, 0); // 3 / 2
  Floats Both = times(64, 1) + times(64, 0);                     // 3 / 3
  for (size_t Step : {5, 3, 1}) { // bits do not depend on the steps
    auto Out = run({0, 0, 0, 0, 0}, Step);
    EXPECT_EQ(Out["chosen"].F, Zero + Zero + Zero + Second + First) << Step;
    // Token t sees entries that end at t or before: none, 0, 0, both, both.
    EXPECT_EQ(Out["all"].F, Zero + First + First + Both + Both) << Step;
  }
}

/// Index entries: one block is two tokens of 32 channels, all 2; normed all 1;
/// position 0 does not turn; the Hadamard transform makes 32 / sqrt(32) = 5.66
/// of the first and 0 of the others; E2M1 with scale 1 rounds that to 6.
TEST_F(InterpreterTest, IndexEntriesAndScore) {
  fillBf16("layers.0.attn_norm.weight", 1);
  input("u", {3, 32}, times(96, 2));
  input("g", {3, 32}, times(96, 0));
  Floats One = {1}, Rest = times(31, 0);
  Floats Heads = (Floats{2} + Rest) + (Floats{-1} + Rest);
  input("q", {3, 2, 32}, Heads + Heads + Heads);
  input("hw", {3, 2}, Floats{0.5f, 100, 0.5f, 100, -3, 100});
  op(R"(%ape = dsv4.weight "layers.0.hc_ffn_fn" : <2x32, f32>
        %norm = dsv4.weight "layers.0.attn_norm.weight" : <32, bf16>
        %c = dsv4.state "c" : <carry, 2, 32>
        %n = dsv4.state "n" : <index_entries, 2, 32, #qfmt.rows<32, fp4>>
        dsv4.compress %u, %g, %ape, %norm, %p, %c, %n
          {eps = 0.0 : f32, rope = #dsv4.rope<dims = 32, theta = 10000>}
          : (tensor<?x32xbf16>, tensor<?x32xbf16>, !qfmt.weight<2x32, f32>,
             !qfmt.weight<32, bf16>, tensor<?xi32>, !dsv4.state<carry, 2, 32>,
             !dsv4.state<index_entries, 2, 32, #qfmt.rows<32, fp4>>) -> ()
        %s = dsv4.index_score %q, %hw, %p, %n {trace = ["scores"]}
          : (tensor<?x2x32xbf16>, tensor<?x2xbf16>, tensor<?xi32>,
             !dsv4.state<index_entries, 2, 32, #qfmt.rows<32, fp4>>)
          -> tensor<?x?xbf16>)");
  // Token 0 comes before the entry is complete. Then head 0 gives 2 * 6 times
  // its weight; head 1 gives -6, which is 0 before the weight of 100.
  EXPECT_EQ(run({0, 0, 0})["scores"].F, Floats({0, 6, -36}));
}

TEST_F(InterpreterTest, TopKAmongEquals) {
  input("s", {8, 4},
        Floats{9,  9,  9,  9,   // token 0: no entry is complete
               5,  9,  9,  9,   // 1: entry 0 alone
               5,  9,  9,  9,   // 2: the same
               1,  2,  9,  9,   // 3: two entries, k is two
               2,  1,  9,  9,   // 4: the same, in ascending order of ids
               5,  9,  9,  100, // 5: three; 100 is not complete
               -1, -3, -1, 100, // 6: negative scores are scores
               3,  3,  1,  3}); // 7: of three equal ones the lower ids
  op(R"(%ids = dsv4.top_k %s, %p {k = 2 : i64, ratio = 2 : i64,
          trace = ["ids"]} : (tensor<?x4xbf16>, tensor<?xi32>)
          -> tensor<?x2xi32>)");
  EXPECT_EQ(run(Ids(8, 0))["ids"].I,
            Ids({-1, -1, 0, -1, 0, -1, 0, 1, 0, 1, 1, 2, 0, 2, 0, 1}));
}

TEST_F(InterpreterTest, AttentionWithSink) {
  setF32("layers.0.attn.attn_sink", {0, -200}); // of two heads
  input("kv", {3, 96}, times(96, 6) + times(96, 3) + times(96, 9));
  // Token 1 asks for what is largest in channel 0.
  Floats Asks = Floats{200} + times(95, 0), Zero = times(192, 0);
  input("q", {3, 2, 96}, Zero + Asks + Asks + Zero);
  op(R"(%sink = dsv4.weight "layers.0.attn.attn_sink" : <2, f32>
        %w = dsv4.state "w" : <window, 2, 96, #qfmt.rows<96, fp8_rope, 32>>
        dsv4.store_window %kv, %p, %w : (tensor<?x96xbf16>, tensor<?xi32>,
          !dsv4.state<window, 2, 96, #qfmt.rows<96, fp8_rope, 32>>) -> ()
        %h = dsv4.sparse_attention %q, %p, %sink, %w
          {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 0.5 : f32,
           trace = ["heads"]}
          : (tensor<?x2x96xbf16>, tensor<?xi32>, !qfmt.weight<2, f32>,
             !dsv4.state<window, 2, 96, #qfmt.rows<96, fp8_rope, 32>>)
          -> tensor<?x2x96xbf16>)");
  // Token 0: 6 / (1 + e^0), and without sink 6 / 1.
  // Token 1: scores 200 * 6 / 2 and 200 * 3 / 2: e^-300 leaves the first row,
  // and e^-600 nothing of the sink.
  // Token 2: a window of two is rows 1 and 2: (3 + 9) / (2 + 1) and / 2.
  EXPECT_EQ(run({0, 0, 0})["heads"].F, times(96, 3) + times(96, 6) +
                                           times(192, 6) + times(96, 4) +
                                           times(96, 6));
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

TEST_F(InterpreterTest, RouteByHash) {
  // The table, of token ids 0 to 3: two experts each, in the table's order.
  const int64_t Table[] = {2, 1, 3, 0, 0, 1, 1, 3};
  memcpy(Source.tensor("layers.0.ffn.gate.tid2eid").Bytes.data(), Table,
         sizeof(Table));
  // Opening refuses ids beyond the experts of the config, not of this graph.
  input("s", {2, 4}, Floats{1, 2, 3, 2, 1, 2, 3, 2});
  op(R"(%table = dsv4.weight "layers.0.ffn.gate.tid2eid" : <4x2, i64>
        %ids, %w = dsv4.route_hash %s, %t, %table
          {scale = 1.5 : f32, trace = ["ids", "weights"]}
          : (tensor<?x4xbf16>, tensor<?xi32>, !qfmt.weight<4x2, i64>)
          -> (tensor<?x2xi32>, tensor<?x2xf32>))");
  auto Out = run({1, 0});
  EXPECT_EQ(Out["ids"].I, Ids({3, 0, 2, 1}));
  // Token id 1: 2/3 and 1/3 times 1.5; token id 0: 3/5 and 2/5 times 1.5.
  const Floats Weights = {1, 0.5f, 0.9f, 0.6f};
  ASSERT_EQ(Out["weights"].F.size(), 4u);
  for (size_t I = 0; I < 4; ++I)
    EXPECT_FLOAT_EQ(Out["weights"].F[I], Weights[I]) << I;
}

TEST_F(InterpreterTest, RouteTopK) {
  setF32("layers.0.hc_ffn_base", {10, 0, -5, 0});
  input("s", {1, 4}, Floats{1, 2, 3, 2});
  op(R"(%bias = dsv4.weight "layers.0.hc_ffn_base" : <4, f32>
        %ids, %w = dsv4.route_top_k %s, %bias
          {scale = 1.5 : f32, trace = ["ids", "weights"]}
          : (tensor<?x4xbf16>, !qfmt.weight<4, f32>)
          -> (tensor<?x2xi32>, tensor<?x2xf32>))");
  auto Out = run({0});
  // With bias 11, 2, -2, 2: expert 0, then the lower one of 1 and 3.
  EXPECT_EQ(Out["ids"].I, Ids({0, 1}));
  // Without bias 1/3 and 2/3, times 1.5.
  EXPECT_FLOAT_EQ(Out["weights"].F[0], 0.5f);
  EXPECT_FLOAT_EQ(Out["weights"].F[1], 1);
}

TEST_F(InterpreterTest, ExpertLinear) {
  // E2M1 codes, low nibble first: 2 is 1.0, 15 is -6. E8M0: 128 is 2, 126 0.5.
  auto Expert = [&](const char *Name) -> std::string & {
    return Source.tensor("layers.0.ffn.experts." + std::string(Name)).Bytes;
  };
  Expert("0.w1.weight")[0] = 2;              // row 0, column 0
  Expert("0.w1.scale")[0] = char(128);       // its first 32 columns
  Expert("1.w1.weight")[64] = char(15 << 4); // row 1, column 1
  Expert("1.w1.scale")[4] = 126;             // row 1 has scales of its own
  Floats X = Floats{3, 4} + times(126, 0);
  input("x", {2, 128}, X + X);
  input("ids", {2, 2}, Ids{1, 0, 0, 1});
  op(R"(%w = dsv4.weight "layers.0.ffn.experts.{e}.w1.weight"
          scale "layers.0.ffn.experts.{e}.w1.scale" : <2x2x128, fp4>
        %y = dsv4.expert_linear %x, %ids, %w {trace = ["y"]}
          : (tensor<?x128xbf16>, tensor<?x2xi32>, !qfmt.weight<2x2x128, fp4>)
          -> tensor<?x2x2xbf16>)");
  // Expert 0: (3 * 1 * 2, 0); expert 1: (0, 4 * -6 * 0.5).
  EXPECT_EQ(run({0, 0})["y"].F, Floats({0, -12, 6, 0, 6, 0, 0, -12}));
}

TEST_F(InterpreterTest, ExpertSumInOrderOfIds) {
  constexpr float Big = 1 << 24;
  input("y", {1, 3, 1}, Floats{-Big, Big, 1});
  input("ids", {1, 3}, Ids{7, 0, 3});
  op(R"(%s = dsv4.expert_sum %y, %ids {trace = ["sum"]}
          : (tensor<?x3x1xbf16>, tensor<?x3xi32>) -> tensor<?x1xf32>)");
  // Expert 0, 3, 7: 2^24 + 1 rounds to 2^24, minus 2^24 is 0. In order of slots
  // it would be 1.
  EXPECT_EQ(run({0})["sum"].F, Floats({0}));
}

TEST_F(InterpreterTest, SwigluOfSlots) {
  input("gate", {1, 2, 2}, Floats{100, -200, 0, 100});
  input("up", {1, 2, 2}, Floats{100, 5, 5, -100});
  input("w", {1, 2}, Floats{0.5f, 0.25f});
  op(R"(%h = dsv4.swiglu %gate, %up, %w {limit = 10.0 : f32, trace = ["h"]}
          : (tensor<?x2x2xbf16>, tensor<?x2x2xbf16>, tensor<?x2xbf16>)
          -> tensor<?x2x2xbf16>)");
  // Slot 0, weight 1/2: gate and up are clamped to 10; 10 sigmoid(10) 10 / 2 is
  // 49.998, in BF16 50. Gate -200: sigmoid is 0. Slot 1, weight 1/4: gate 0;
  // then 9.9995 * -10 / 4 = -24.9989, in BF16 -25.
  auto H = run({0})["h"].F;
  ASSERT_EQ(H.size(), 4u);
  EXPECT_EQ(H[0], 50);
  EXPECT_NEAR(H[1], 0, 1e-30);
  EXPECT_EQ(H[2], 0);
  EXPECT_EQ(H[3], -25);
}

TEST_F(InterpreterTest, AddShared) {
  input("a", {1, 2}, Floats{256, 1});
  input("b", {1, 2}, Floats{1, 2});
  op(R"(%y = dsv4.add_shared %a, %b {trace = ["y"]}
          : (tensor<?x2xbf16>, tensor<?x2xbf16>) -> tensor<?x2xbf16>)");
  // 257 lies between 256 and 258 of BF16 and rounds to the even one.
  EXPECT_EQ(run({0})["y"].F, Floats({256, 3}));
}

} // namespace
