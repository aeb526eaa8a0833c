// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatch: which function computes which op. Fused ops name their parts here.

#include "compiler/reference/OpRunner.h"
#include "llvm/ADT/TypeSwitch.h"

using llvm::Error;
using namespace dsv4::graph;

namespace dsv4::reference {

Value likeShape(std::vector<int64_t> Shape) {
  Value V;
  V.Shape = std::move(Shape);
  V.F.assign(V.rows() * V.width(), 0.0f);
  return V;
}

OpRunner::OpRunner(Interpreter &In, Value T, Value P)
    : In(In), Tokens(std::move(T)), Positions(std::move(P)) {}

/// Keeps a result, after the observer has seen it where it has a name.
void OpRunner::set(mlir::Value V, Value Result) {
  auto R = llvm::cast<mlir::OpResult>(V);
  if (auto Names = R.getOwner()->getAttrOfType<mlir::ArrayAttr>("trace"))
    if (R.getResultNumber() < Names.size() && In.Observe) {
      llvm::StringRef Name =
          llvm::cast<mlir::StringAttr>(Names[R.getResultNumber()]).getValue();
      if (!Name.empty())
        In.Observe(Name, Result);
    }
  Values[V] = std::move(Result);
}

static double real(llvm::APFloat F) { return F.convertToDouble(); }

Error OpRunner::run(mlir::Operation &Op) {
  bool Known = true;
  auto Ids = [&](mlir::Value V) { return V ? &get(V) : nullptr; };
  llvm::TypeSwitch<mlir::Operation *>(&Op)
      .Case<WeightOp, StateOp>([](auto) {})
      .Case<EmbedOp>([&](auto O) { set(O.getResult(), embed(O)); })
      .Case<ExpandStreamsOp>(
          [&](auto O) { set(O.getResult(), expandStreams(O)); })
      .Case<RmsNormOp>([&](auto O) {
        set(O.getResult(),
            rmsNorm(get(O.getX()), In.weight(O.getWeight()), real(O.getEps())));
      })
      .Case<QuantizeOp>(
          [&](auto O) { set(O.getResult(), quantize(get(O.getX()))); })
      .Case<LinearOp>([&](auto O) {
        set(O.getResult(),
            linear(get(O.getX()), O.getWeight(), O.getResult().getType()));
      })
      .Case<GroupedLinearOp>(
          [&](auto O) { set(O.getResult(), groupedLinear(O)); })
      .Case<HcMixOp>([&](auto O) {
        Mix M =
            mix(get(O.getStreams()), O.getFn(), O.getScale(), O.getBase(),
                O.getSinkhornIters(), real(O.getHcEps()), real(O.getNormEps()));
        set(O.getPre(), M.Pre);
        set(O.getPost(), M.Post);
        set(O.getComb(), M.Comb);
      })
      .Case<HcHeadMixOp>([&](auto O) {
        set(O.getPre(),
            headMix(get(O.getStreams()), O.getFn(), O.getScale(), O.getBase(),
                    real(O.getHcEps()), real(O.getNormEps())));
      })
      .Case<HcPreOp>([&](auto O) {
        set(O.getResult(), reduce(get(O.getStreams()), get(O.getPre())));
      })
      .Case<HcPostOp>([&](auto O) {
        set(O.getResult(), close(get(O.getOut()), get(O.getStreams()),
                                 get(O.getPost()), get(O.getComb())));
      })
      .Case<HeadNormOp>([&](auto O) {
        set(O.getResult(), headNorm(get(O.getX()), real(O.getEps())));
      })
      .Case<RopeOp>([&](auto O) {
        set(O.getResult(), rope(get(O.getX()), O.getRope(), O.getInverse()));
      })
      .Case<QuantizeKvOp>([&](auto O) {
        set(O.getResult(), quantizeKv(get(O.getKv()), O.getRopeDims()));
      })
      .Case<StoreWindowOp>(
          [&](auto O) { storeWindow(get(O.getKv()), O.getWindow()); })
      .Case<CompressOp>([&](auto O) { compress(O); })
      .Case<HadamardOp>(
          [&](auto O) { set(O.getResult(), hadamard(get(O.getX()))); })
      .Case<QuantizeFp4Op>(
          [&](auto O) { set(O.getResult(), quantizeFp4(get(O.getX()))); })
      .Case<ScaleWeightsOp>([&](auto O) {
        set(O.getResult(), scaleWeights(get(O.getX()), real(O.getFactor())));
      })
      .Case<IndexScoreOp>([&](auto O) {
        set(O.getScores(),
            indexScore(get(O.getQ()), get(O.getWeights()), O.getEntries()));
      })
      .Case<TopKOp>([&](auto O) {
        set(O.getIds(), topK(get(O.getScores()), O.getK(), O.getRatio()));
      })
      .Case<SparseAttentionOp>([&](auto O) {
        set(O.getHeads(),
            attend(get(O.getQ()), O.getSink(), O.getWindow(), O.getEntries(),
                   Ids(O.getIds()), real(O.getScale())));
      })
      .Case<RouterScoresOp>(
          [&](auto O) { set(O.getScores(), routerScores(get(O.getLogits()))); })
      .Case<RouteTopKOp, RouteHashOp>([&](auto O) {
        mlir::Value Table = O->getOperand(O->getNumOperands() - 1);
        int64_t K = llvm::cast<mlir::RankedTensorType>(O.getIds().getType())
                        .getDimSize(1);
        Route R = route(get(O.getScores()), Table, K, real(O.getScale()));
        set(O.getIds(), R.Ids);
        set(O.getWeights(), R.Weights);
      })
      .Case<ExpertLinearOp>([&](auto O) {
        set(O.getResult(),
            expertLinear(get(O.getX()), get(O.getIds()), O.getWeight()));
      })
      .Case<SwigluOp>([&](auto O) {
        set(O.getResult(), swiglu(get(O.getGate()), get(O.getUp()),
                                  Ids(O.getWeights()), real(O.getLimit())));
      })
      .Case<ExpertSumOp>([&](auto O) {
        set(O.getResult(), expertSum(get(O.getY()), get(O.getIds())));
      })
      .Case<AddSharedOp>([&](auto O) {
        set(O.getResult(), addShared(get(O.getRouted()), get(O.getShared())));
      })
      .Default([&](mlir::Operation *) { Known = runFused(Op); });
  if (Known)
    return Error::success();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "the interpreter does not know " +
                                     Op.getName().getStringRef().str());
}

/// Fused ops; false for an op that is none.
bool OpRunner::runFused(mlir::Operation &Op) {
  bool Known = true;
  auto Enter = [&](const Value &X, auto O) {
    Mix M = mix(X, O.getFn(), O.getScale(), O.getBase(), O.getSinkhornIters(),
                real(O.getHcEps()), real(O.getNormEps()));
    Value Normed =
        rmsNorm(reduce(X, M.Pre), In.weight(O.getNorm()), real(O.getNormEps()));
    return std::make_pair(std::move(M), std::move(Normed));
  };
  auto Close = [&](auto O) {
    return close(get(O.getOut()), get(O.getStreams()), get(O.getPost()),
                 get(O.getComb()));
  };
  llvm::TypeSwitch<mlir::Operation *>(&Op)
      .Case<HcEntryOp>([&](auto O) {
        auto [M, X] = Enter(get(O.getStreams()), O);
        set(O.getPost(), M.Post);
        set(O.getComb(), M.Comb);
        set(O.getX(), X);
      })
      .Case<HcBoundaryOp>([&](auto O) {
        Value Streams = Close(O);
        auto [M, X] = Enter(Streams, O);
        set(O.getNewStreams(), Streams);
        set(O.getNewPost(), M.Post);
        set(O.getNewComb(), M.Comb);
        set(O.getX(), X);
      })
      .Case<HcExitOp>([&](auto O) {
        Value Streams = Close(O);
        Value Pre = headMix(Streams, O.getFn(), O.getScale(), O.getBase(),
                            real(O.getHcEps()), real(O.getNormEps()));
        set(O.getX(), rmsNorm(reduce(Streams, Pre), In.weight(O.getNorm()),
                              real(O.getNormEps())));
      })
      .Case<StackedLinearOp>([&](auto O) {
        const Value &X = get(O.getX());
        Value Q = llvm::is_contained(O.getQuantized(), true) ? quantize(X) : X;
        for (auto [W, R, Quantized] :
             llvm::zip(O.getWeights(), O.getResults(), O.getQuantized()))
          set(R, linear(Quantized ? Q : X, W, R.getType()));
      })
      .Case<QueryHeadsOp>([&](auto O) {
        set(O.getResult(), rope(headNorm(get(O.getRaw()), real(O.getEps())),
                                O.getRope(), false));
      })
      .Case<StoreKvOp>([&](auto O) {
        Value Kv = rope(
            rmsNorm(get(O.getRaw()), In.weight(O.getNorm()), real(O.getEps())),
            O.getRope(), false);
        Kv = quantizeKv(std::move(Kv), O.getRope().getDims());
        set(O.getResult(), Kv);
        storeWindow(get(O.getResult()), O.getWindow());
      })
      .Case<IndexQueryOp>([&](auto O) {
        set(O.getResult(),
            quantizeFp4(hadamard(rope(get(O.getRaw()), O.getRope(), false))));
      })
      .Case<IndexSelectOp>([&](auto O) {
        Value W = scaleWeights(get(O.getWeights()), real(O.getFactor()));
        Value Scores = indexScore(get(O.getQ()), W, O.getEntries());
        set(O.getIds(),
            topK(Scores, O.getK(), O.getEntries().getType().getExtent()));
      })
      .Case<AttentionOp>([&](auto O) {
        Value Heads =
            attend(get(O.getQ()), O.getSink(), O.getWindow(), O.getEntries(),
                   O.getIds() ? &get(O.getIds()) : nullptr, real(O.getScale()));
        set(O.getHeads(), rope(std::move(Heads), O.getRope(), true));
      })
      .Case<MoeOp>([&](auto O) { set(O.getResult(), moe(O)); })
      .Default([&](mlir::Operation *) { Known = false; });
  return Known;
}

} // namespace dsv4::reference
