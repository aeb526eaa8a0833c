// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-fuse-hyper-boundary: see Passes.td.

#include "dialects/dsv4/Transforms/Fusion.h"
#include "dialects/dsv4/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_FUSEHYPERBOUNDARYPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

/// The reduction behind a mix: hc_pre of the same streams and its norm.
struct Reduction {
  HcPreOp Pre;
  RmsNormOp Norm;

  static std::optional<Reduction> of(Value Coefficients, Value Streams,
                                     APFloat Eps) {
    auto Pre = soleUser<HcPreOp>(Coefficients);
    if (!Pre || Pre.getStreams() != Streams)
      return std::nullopt;
    auto Norm = soleUser<RmsNormOp>(Pre.getResult());
    if (!Norm || !Norm.getEps().bitwiseIsEqual(Eps))
      return std::nullopt;
    return Reduction{Pre, Norm};
  }
};

struct FuseHyperBoundaryPass
    : impl::FuseHyperBoundaryPassBase<FuseHyperBoundaryPass> {
  void runOnOperation() override {
    for (auto Mix : llvm::to_vector(getOperation().getOps<HcMixOp>()))
      fuseMix(Mix);
    for (auto Mix : llvm::to_vector(getOperation().getOps<HcHeadMixOp>()))
      fuseHead(Mix);
  }

  /// The fused op stands where the norm stood: others that use a result of the
  /// group before that would be left without it.
  static bool usedBefore(const Reduction &R, HcMixOp Mix,
                         ArrayRef<Value> Results) {
    HcPreOp Pre = R.Pre;
    RmsNormOp Norm = R.Norm;
    return llvm::any_of(Results, [&](Value V) {
      return llvm::any_of(V.getUsers(), [&](Operation *User) {
        return User != Mix && User != Pre && User->isBeforeInBlock(Norm);
      });
    });
  }

  void fuseMix(HcMixOp Mix) {
    auto R = Reduction::of(Mix.getPre(), Mix.getStreams(), Mix.getNormEps());
    if (!R)
      return;
    auto Post = Mix.getStreams().getDefiningOp<HcPostOp>();
    SmallVector<Value> Old = {Mix.getPost(), Mix.getComb(),
                              R->Norm.getResult()};
    if (Post)
      Old.insert(Old.begin(), Post.getResult());
    if (usedBefore(*R, Mix, Old))
      return;
    OpBuilder B(R->Norm);
    SmallVector<Operation *> Parts = {Mix, R->Pre, R->Norm};
    if (Post)
      Parts.insert(Parts.begin(), Post);
    Location Loc = fuseLocations(Parts);
    Operation *Fused;
    if (Post)
      Fused = HcBoundaryOp::create(
          B, Loc, Post.getResult().getType(), Mix.getPost().getType(),
          Mix.getComb().getType(), R->Norm.getResult().getType(), Post.getOut(),
          Post.getStreams(), Post.getPost(), Post.getComb(), Mix.getFn(),
          Mix.getScale(), Mix.getBase(), R->Norm.getWeight(),
          Mix.getSinkhornItersAttr(), Mix.getHcEpsAttr(), Mix.getNormEpsAttr());
    else
      Fused = HcEntryOp::create(
          B, Loc, Mix.getPost().getType(), Mix.getComb().getType(),
          R->Norm.getResult().getType(), Mix.getStreams(), Mix.getFn(),
          Mix.getScale(), Mix.getBase(), R->Norm.getWeight(),
          Mix.getSinkhornItersAttr(), Mix.getHcEpsAttr(), Mix.getNormEpsAttr());
    replace(Fused, Old, {R->Norm, R->Pre, Mix});
    if (Post)
      Post.erase();
  }

  void fuseHead(HcHeadMixOp Mix) {
    auto R = Reduction::of(Mix.getPre(), Mix.getStreams(), Mix.getNormEps());
    auto Post = Mix.getStreams().getDefiningOp<HcPostOp>();
    if (!R || !Post || !llvm::hasNItems(Post.getResult().getUsers(), 2))
      return;
    OpBuilder B(R->Norm);
    auto Fused = HcExitOp::create(
        B, fuseLocations({Post, Mix, R->Pre, R->Norm}),
        R->Norm.getResult().getType(), Post.getOut(), Post.getStreams(),
        Post.getPost(), Post.getComb(), Mix.getFn(), Mix.getScale(),
        Mix.getBase(), R->Norm.getWeight(), Mix.getHcEpsAttr(),
        Mix.getNormEpsAttr());
    replace(Fused, {R->Norm.getResult()}, {R->Norm, R->Pre, Mix, Post});
  }

  void replace(Operation *Fused, ArrayRef<Value> Old,
               ArrayRef<Operation *> Dead) {
    takeTraceNames(Fused, Old);
    for (auto [From, To] : llvm::zip_equal(Old, Fused->getResults()))
      // Parts of the old group still use the old streams until they go.
      Value(From).replaceUsesWithIf(To, [&](OpOperand &Use) {
        return Use.getOwner() != Fused &&
               !llvm::is_contained(Dead, Use.getOwner());
      });
    for (Operation *Op : Dead)
      Op->erase();
    ++numFused;
  }
};

} // namespace
} // namespace dsv4::graph
