// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connection phases (model.md 3.1): mixing dots with the closing of the
// previous sublayer, coefficients with Sinkhorn, the head's reduction.

#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;
constexpr int64_t Chunk = 128; // elements of D per item, numerics R2

/// Sizes of one hc_mix and the address of its operands.
struct Mix {
  int64_t C, D, M, Stride, Tiles;
  explicit Mix(kern::HcMixOp Op) {
    C = Op.getStreams();
    D = Op.getHidden();
    M = llvm::cast<qfmt::WeightType>(Op.getFn().getType()).getShape()[0];
    Stride = Op.getStride();
    Tiles = (M + Lanes - 1) / Lanes;
  }
};

/// X'_k = bf16(post_k out + sum_j comb_jk X_j) of one chunk (R11).
void closeChunk(KernelBuilder &K, const Mix &S, Val In, Val Out, Val Post,
                Val Comb, Val Dst) {
  auto Role = K.touching("streams");
  Vals P, Mat;
  for (int64_t I = 0; I < S.C; ++I)
    P.push_back(K.splat(K.loadF32(Post + I * 4)));
  for (int64_t I = 0; I < S.C * S.C; ++I)
    Mat.push_back(K.splat(K.loadF32(Comb + I * 4)));
  K.forRange(K.c64(0), K.c64(Chunk / Lanes), 1, [&](Val I) {
    Val Y = K.loadBf16(Out + I * 32, Lanes);
    Vals X;
    for (int64_t J = 0; J < S.C; ++J)
      X.push_back(K.loadBf16(In + I * 32 + J * S.D * 2, Lanes));
    for (int64_t To = 0; To < S.C; ++To) {
      Val T = P[To] * Y;
      for (int64_t J = 0; J < S.C; ++J)
        T = fma(Mat[J * S.C + To], X[J], T);
      K.storeBf16(Dst + I * 32 + To * S.D * 2, T);
    }
  });
}

/// Tokens whose chunk meets each line of fn, or groups of one token that
/// advance in turns: enough chains to hide the latency of the multiply-add,
/// where registers allow.
int64_t chunksTogether(KernelBuilder &K) {
  return K.isa() >= IsaLevel::Avx512 ? 4 : 1;
}

/// One chunk of all streams as f32 [C, Chunk].
void widenChunk(KernelBuilder &K, const Mix &S, Val X, Val Dst) {
  auto Role = K.touching("streams");
  for (int64_t J = 0; J < S.C; ++J)
    for (int64_t I = 0; I < Chunk; I += Lanes)
      K.store(K.loadBf16(X + (J * S.D + I) * 2, Lanes),
              Dst + (J * Chunk + I) * 4, 64);
}

/// Partial dots of all rows of fn with the widened chunks at X (R2):
/// [chunks][tiles]. `Fn` is the address of the chunk's first line in tile 0.
Vals dotChunks(KernelBuilder &K, const Mix &S, llvm::ArrayRef<Val> X, Val Fn) {
  int64_t TileBytes = S.C * S.D * 64, Count = X.size();
  int64_t Together = chunksTogether(K) / Count; // groups
  Vals Partial(Count * S.Tiles, K.vf(0));
  for (int64_t J = 0; J < S.C; ++J)
    for (int64_t First = 0; First < Chunk / 32; First += Together) {
      Vals Chains = K.forRange(
          K.c64(0), K.c64(32), 1, Vals(Together * Count * S.Tiles, K.vf(0)),
          [&](Val I, llvm::ArrayRef<Val> It) {
            Vals Next;
            for (int64_t G = First; G < First + Together; ++G)
              for (int64_t T = 0; T < S.Tiles; ++T) {
                Val Line = Fn + (J * S.D + G * 32) * 64 + T * TileBytes;
                auto Role = K.touching(WeightsRole, 32);
                Val W = K.loadVF(Line + I * 64, 64);
                auto Input = K.touching(InputRole);
                for (int64_t N = 0; N < Count; ++N)
                  Next.push_back(
                      fma(K.splat(K.loadF32(X[N] + (J * Chunk + G * 32) * 4 +
                                            I * 4)),
                          W, It[Next.size()]));
              }
            return Next;
          });
      for (int64_t G = 0; G < Together; ++G)
        for (int64_t T = 0; T < S.Tiles; ++T)
          for (int64_t N = 0; N < Count; ++N) {
            Val &Sum = Partial[N * S.Tiles + T];
            Sum = Sum + Chains[(G * S.Tiles + T) * Count + N];
          }
    }
  return Partial;
}

/// Sum of squares of one widened chunk (R2).
Val squaresOfChunk(KernelBuilder &K, const Mix &S, Val X) {
  auto Role = K.touching("streams");
  Val Acc = K.vf(0);
  for (int64_t I = 0; I < S.C * Chunk; I += Lanes) {
    Val Y = K.loadVF(X + I * 4, 64);
    Acc = fma(Y, Y, Acc);
  }
  return K.laneSum(Acc);
}

/// m_i = dot_i / sqrt(mean square + eps) of all rows, 16 per vector.
Vals mixedRows(KernelBuilder &K, Val Partials, int64_t M, int64_t Stride,
               int64_t C, int64_t D, double Eps) {
  auto Role = K.touching("partial sums");
  Vals Sum = K.forRange(
      K.c64(0), K.c64(D / Chunk), 1, Vals(Stride / Lanes, K.vf(0)),
      [&](Val Part, llvm::ArrayRef<Val> It) {
        Vals Next;
        for (size_t I = 0; I < It.size(); ++I)
          Next.push_back(It[I] + K.loadVF(Partials + Part * (Stride * 4) +
                                          int64_t(I) * 64));
        return Next;
      });
  Val R = inverseRms(K, K.lane(Sum[M / Lanes], M % Lanes), C * D, Eps);
  for (Val &V : Sum)
    V = V * K.splat(R);
  return Sum;
}

/// y = bf16(sum_j pre_j X_j), then its RMS norm, both written to Dst.
void reduceStreams(KernelBuilder &K, llvm::ArrayRef<Val> Pre, Val Streams,
                   Val Norm, Val Dst, int64_t D, double Eps) {
  auto Role = K.touching("streams");
  K.forRange(K.c64(0), K.c64(D / Lanes), 1, [&](Val I) {
    Val T = K.vf(0);
    for (size_t J = 0; J < Pre.size(); ++J)
      T = fma(K.splat(Pre[J]),
              K.loadBf16(Streams + I * 32 + int64_t(J) * D * 2, Lanes), T);
    K.storeBf16(Dst + I * 32, T);
  });
  rmsNormRow(K, Dst, Norm, Dst, D, Eps);
}

/// A C x C matrix in the first lanes of a vector, row-major.
struct Matrix {
  KernelBuilder &K;
  int64_t C;

  /// Lane (r, q) <- lane (r, k), or with Columns lane (k, q).
  Val pick(Val M, int64_t Index, bool Columns) {
    llvm::SmallVector<int64_t> Mask;
    for (int64_t I = 0; I < Lanes; ++I) {
      int64_t From = Columns ? Index * C + I % C : I / C * C + Index;
      Mask.push_back(I < C * C ? From : I);
    }
    return K.shuffle(M, M, Mask);
  }
  /// Every lane's row (or column) sum, elements ascending.
  Val sum(Val M, bool Columns) {
    Val S = pick(M, 0, Columns);
    for (int64_t I = 1; I < C; ++I)
      S = S + pick(M, I, Columns);
    return S;
  }
  Val rowMax(Val M) {
    Val S = pick(M, 0, false);
    for (int64_t I = 1; I < C; ++I)
      S = max(S, pick(M, I, false));
    return S;
  }
};

/// Sinkhorn normalisation of the logits in the first C * C lanes (R6).
Val sinkhorn(KernelBuilder &K, Val Logits, int64_t C, int64_t Iterations,
             double HcEps) {
  Matrix Mat{K, C};
  Val Eps = K.vf(float(HcEps));
  Val E = K.exp(Logits - Mat.rowMax(Logits));
  Val M = E / Mat.sum(E, false) + Eps;
  M = M / (Mat.sum(M, true) + Eps);
  Vals Last = K.forRange(K.c64(0), K.c64(Iterations - 1), 1, {M},
                         [&](Val, llvm::ArrayRef<Val> It) {
                           Val N = It[0] / (Mat.sum(It[0], false) + Eps);
                           return Vals{N / (Mat.sum(N, true) + Eps)};
                         });
  return Last[0];
}

/// Row i of the mix times its scale plus its base, 16 per vector: scale 0 for
/// pre, 1 for post, 2 for comb.
Vals affineRows(KernelBuilder &K, const Vals &M, Val Scale, Val Base,
                int64_t C) {
  Val All = K.loadVF(Scale);
  Vals Z;
  for (size_t V = 0; V < M.size(); ++V) {
    llvm::SmallVector<int64_t> Mask;
    for (int64_t I = 0; I < Lanes; ++I)
      Mask.push_back(std::min<int64_t>((int64_t(V) * Lanes + I) / C, 2));
    Z.push_back(M[V] * K.shuffle(All, All, Mask) +
                K.loadVF(Base + int64_t(V) * 64));
  }
  return Z;
}

} // namespace

namespace {

/// kern.hc_mix. Items are chunks: of a block of tokens the first, of the same
/// the second, and so on, so that neighbouring items meet the same part of fn,
/// which stays in the second cache for the whole block.
class HcMix {
public:
  HcMix(KernelBuilder &K, kern::HcMixOp Op)
      : K(K), S(Op), Close(bool(Op.getOut())), Most(chunksTogether(K)),
        Widened(stackBuffer(K, Most * S.C * Chunk * 4)) {}

  void emit() {
    Val All = K.tokens(), PerBlock = K.c64(BlockTokens * (S.D / Chunk));
    auto Step = [&](llvm::ArrayRef<Val> It) {
      Val Block = It[0] / PerBlock, Within = It[0] % PerBlock;
      Val First = Block * BlockTokens;
      Val Tokens = min(All - First, K.c64(BlockTokens));
      Val Part = Within / Tokens, Token = First + Within % Tokens;
      auto One = [&] { return several(1, It[0], Token, Part); };
      if (Most == 1)
        return One();
      Val Left = min(First + Tokens - Token, K.end() - It[0]);
      return K.choose(
          Left >= Most, [&] { return several(Most, It[0], Token, Part); }, One);
    };
    K.whileLoop(
        {K.begin()}, [&](llvm::ArrayRef<Val> It) { return It[0] < K.end(); },
        Step);
  }

private:
  static constexpr int64_t BlockTokens = 64;

  /// The same part of `Count` tokens; returns the next item.
  Vals several(int64_t Count, Val Item, Val Token, Val Part) {
    Vals X;
    for (int64_t N = 0; N < Count; ++N)
      X.push_back(Widened + N * (S.C * Chunk * 4));
    if (Count > 1)
      for (int64_t N = 0; N < Count; ++N)
        fetch(Token + (Count + N), Part);
    for (int64_t N = 0; N < Count; ++N)
      widenChunk(K, S, closed(Token + N, Part), X[N]);
    Vals Dots =
        dotChunks(K, S, X, K.operand(Close ? 4 : 1) + Part * (Chunk * 64));
    for (int64_t N = 0; N < Count; ++N) {
      Val Dst = K.operand(Close ? 6 : 2) +
                ((Token + N) * (S.D / Chunk) + Part) * (S.Stride * 4);
      for (int64_t T = 0; T < S.Tiles; ++T)
        K.store(Dots[N * S.Tiles + T], Dst + T * 64);
      K.store(squaresOfChunk(K, S, X[N]), Dst + S.M * 4);
    }
    return {Item + Count};
  }

  /// Brings a token's part closer. Its four lines of each stream are too few,
  /// and too far from the next ones, for the hardware to follow.
  void fetch(Val Token, Val Part) {
    auto Lines = [&](Val From) {
      for (int64_t Line = 0; Line < Chunk * 2; Line += LineBytes)
        K.prefetch(From + Line);
    };
    for (int64_t J = 0; J < S.C; ++J)
      Lines(K.operand(0) +
            ((Token * S.C + J) * (S.D * 2) + Part * (Chunk * 2)));
    if (Close)
      Lines(K.operand(1) + (Token * (S.D * 2) + Part * (Chunk * 2)));
  }

  /// Address of a part of the streams, behind the sublayer where one ends.
  Val closed(Val Token, Val Part) {
    Val Row = Token * (S.C * S.D * 2) + Part * (Chunk * 2);
    if (!Close)
      return K.operand(0) + Row;
    Val X = K.operand(5) + Row;
    closeChunk(K, S, K.operand(0) + Row,
               K.operand(1) + Token * (S.D * 2) + Part * (Chunk * 2),
               K.operand(2) + Token * (S.C * 4),
               K.operand(3) + Token * (S.C * S.C * 4), X);
    return X;
  }

  KernelBuilder &K;
  Mix S;
  bool Close;
  int64_t Most;
  Val Widened; // on the stack
};

} // namespace

void emitHcMix(KernelBuilder &K, kern::HcMixOp Op) { HcMix(K, Op).emit(); }

void emitHcPre(KernelBuilder &K, kern::HcPreOp Op) {
  int64_t C = Op.getStreams(), M = C * (2 + C);
  int64_t Stride = (M + 1 + Lanes - 1) / Lanes * Lanes;
  int64_t D = llvm::cast<kern::BufferType>(Op.getX().getType()).getFixed();
  unsigned Post = Op.getXq() ? 7 : 6;
  double HcEps = Op.getHcEps().convertToDouble();
  double NormEps = Op.getNormEps().convertToDouble();
  K.forItems([&](Val Token) {
    Vals Rows = mixedRows(K, K.operand(0) + Token * (D / Chunk * Stride * 4), M,
                          Stride, C, D, NormEps);
    Vals Z = affineRows(K, Rows, K.operand(2), K.operand(3), C);
    Val S = K.sigmoid(Z[0]); // pre and post: 2 C <= 16 lanes
    Vals Pre;
    for (int64_t J = 0; J < C; ++J) {
      Pre.push_back(K.lane(S, J) + K.cf(float(HcEps)));
      K.store(K.lane(S, C + J) * 2.0,
              K.operand(Post) + Token * (C * 4) + J * 4);
    }
    llvm::SmallVector<int64_t> Mask;
    for (int64_t I = 0; I < Lanes; ++I)
      Mask.push_back(I < C * C ? 2 * C + I : 0);
    Val Comb = sinkhorn(K, K.shuffle(Z[0], Z[Z.size() > 1 ? 1 : 0], Mask), C,
                        Op.getSinkhornIters(), HcEps);
    for (int64_t I = 0; I < C * C; ++I)
      K.store(K.lane(Comb, I),
              K.operand(Post + 1) + Token * (C * C * 4) + I * 4);
    Val X = K.operand(5) + Token * (D * 2);
    reduceStreams(K, Pre, K.operand(1) + Token * (C * D * 2), K.operand(4), X,
                  D, NormEps);
    if (Op.getXq())
      fakeQuantizeRow(K, X, K.operand(6) + Token * (D * 2), D);
  });
}

void emitHcHead(KernelBuilder &K, kern::HcHeadOp Op) {
  int64_t C = Op.getStreams();
  int64_t D = llvm::cast<kern::BufferType>(Op.getX().getType()).getFixed();
  double NormEps = Op.getNormEps().convertToDouble();
  K.forItems([&](Val Output) {
    Val Token = K.outputRow(Output);
    Vals Rows = mixedRows(K, K.operand(0) + Token * (D / Chunk * Lanes * 4), C,
                          Lanes, C, D, NormEps);
    Val Z = Rows[0] * K.splat(K.loadF32(K.operand(2))) + K.loadVF(K.operand(3));
    Val S = K.sigmoid(Z);
    Vals Pre;
    for (int64_t J = 0; J < C; ++J)
      Pre.push_back(K.lane(S, J) +
                    K.cf(float(Op.getHcEps().convertToDouble())));
    reduceStreams(K, Pre, K.operand(1) + Token * (C * D * 2), K.operand(4),
                  K.operand(5) + Output * (D * 2), D, NormEps);
  });
}

} // namespace dsv4::cpu
