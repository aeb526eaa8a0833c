// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How kernels touch memory: Global<T> and Shared<T>, pointers whose every
// access can be seen. On the device they are a plain pointer and nothing else;
// in emulation each access is checked for bounds, order and initialisation.
//
//   void scale(Global<const float> in, Global<float> out, Shared<float> tile) {
//     tile[i] = in[i];                    // one element
//     Vec<float, 4> v = in.vec<4>(4 * i); // 16 bytes at once, aligned
//     out.setVec(4 * i, v);
//     auto words = tile.as<u32>();        // the same bytes as another type
//   }
//
// ld and st do the same for a bare pointer.

#ifndef DSV4_TARGETS_CUDA_DEVICE_MEMORY_H
#define DSV4_TARGETS_CUDA_DEVICE_MEMORY_H

#include "targets/cuda/device/emu.h"

namespace dsv4::cuda {

namespace detail {
template <class T> struct Bare {
  using type = T;
};
template <class T> struct Bare<const T> {
  using type = T;
};
template <class T> inline constexpr bool isConst = false;
template <class T> inline constexpr bool isConst<const T> = true;
template <class T, class U> inline constexpr bool same = false;
template <class T> inline constexpr bool same<T, T> = true;
template <unsigned Bytes> struct Word;
#ifndef DSV4_CPU_EMU
// CUDA's built-in vectors make one access of a vector; the compiler would be
// free to split a plain struct.
template <> struct Word<8> {
  using type = uint2;
};
template <> struct Word<16> {
  using type = uint4;
};
#endif
} // namespace detail

template <class T> using Bare = typename detail::Bare<T>::type;

template <class T> DSV4_DEVICE Bare<T> ld(T *p) {
#ifdef DSV4_CPU_EMU
  Bare<T> value;
  emu::load(p, &value, sizeof(T));
  return value;
#else
  return *p;
#endif
}

template <class T> DSV4_DEVICE void st(T *p, Bare<T> value) {
#ifdef DSV4_CPU_EMU
  emu::store(p, &value, sizeof(T));
#else
  *p = value;
#endif
}

/// N elements from an address that is a multiple of their size.
template <int N, class T> DSV4_DEVICE Vec<Bare<T>, N> ldVec(T *p) {
#ifdef DSV4_CPU_EMU
  return ld(reinterpret_cast<const Vec<Bare<T>, N> *>(p));
#else
  static_assert(sizeof(T) * N == 8 || sizeof(T) * N == 16,
                "one access moves 8 or 16 bytes");
  using W = typename detail::Word<sizeof(T) * N>::type;
  union {
    W word;
    Vec<Bare<T>, N> vec;
  } both = {*reinterpret_cast<const W *>(p)};
  return both.vec;
#endif
}

template <int N, class T>
DSV4_DEVICE void stVec(T *p, const Vec<Bare<T>, N> &value) {
#ifdef DSV4_CPU_EMU
  st(reinterpret_cast<Vec<Bare<T>, N> *>(p), value);
#else
  static_assert(sizeof(T) * N == 8 || sizeof(T) * N == 16,
                "one access moves 8 or 16 bytes");
  using W = typename detail::Word<sizeof(T) * N>::type;
  *reinterpret_cast<W *>(p) = *reinterpret_cast<const W *>(value.v);
#endif
}

/// What p[i] is: converts to a value on reading, stores on assignment.
template <class T> class Element {
public:
  DSV4_DEVICE explicit Element(T *p) : p(p) {}
  DSV4_DEVICE operator Bare<T>() const { return ld(p); }
  DSV4_DEVICE void operator=(Bare<T> value) const { st(p, value); }
  DSV4_DEVICE void operator=(const Element &other) const { st(p, ld(other.p)); }
  DSV4_DEVICE void operator+=(Bare<T> value) const {
    st(p, Bare<T>(ld(p) + value));
  }

private:
  T *p;
};

enum class Space { Global, Shared };

template <class T, Space S> class Pointer {
public:
  Pointer() = default;
  DSV4_DEVICE explicit Pointer(T *p) : p(p) {}
  /// A pointer to constants from one to values that may be written.
  template <class U>
    requires(detail::isConst<T> && detail::same<const U, T>)
  DSV4_DEVICE Pointer(Pointer<U, S> other) : p(other.raw()) {}

  DSV4_DEVICE Element<T> operator[](i64 i) const { return Element<T>(p + i); }
  DSV4_DEVICE Element<T> operator*() const { return Element<T>(p); }
  DSV4_DEVICE Pointer operator+(i64 i) const { return Pointer(p + i); }
  template <int N> DSV4_DEVICE Vec<Bare<T>, N> vec(i64 i) const {
    return ldVec<N>(p + i);
  }
  template <int N>
  DSV4_DEVICE void setVec(i64 i, const Vec<Bare<T>, N> &value) const {
    stVec<N>(p + i, value);
  }
  template <class U> DSV4_DEVICE Pointer<U, S> as() const {
    return Pointer<U, S>(reinterpret_cast<U *>(p));
  }
  DSV4_DEVICE T *raw() const { return p; }

  /// The address inside the shared window, which barriers, copies and matrix
  /// descriptors take.
  DSV4_DEVICE u32 addr() const {
    static_assert(S == Space::Shared, "global memory has no shared address");
#ifdef DSV4_CPU_EMU
    return u32(reinterpret_cast<const u8 *>(p) - emu::currentIds->shared);
#else
    return u32(__cvta_generic_to_shared(p));
#endif
  }

private:
  T *p = nullptr;
};

template <class T> using Global = Pointer<T, Space::Global>;
template <class T> using Shared = Pointer<T, Space::Shared>;

static_assert(sizeof(Global<float>) == 8, "a kernel's argument is a pointer");

#ifndef DSV4_CPU_EMU
// One name for the whole translation unit: kernels carve their plan out of it.
extern DSV4_SHARED __align__(1024) u8 dsv4DynamicShared[];
#endif

/// The block's dynamic shared memory, aligned to 1024 bytes.
DSV4_DEVICE Shared<u8> dynamicShared() {
#ifdef DSV4_CPU_EMU
  return Shared<u8>(emu::currentIds->shared);
#else
  return Shared<u8>(dsv4DynamicShared);
#endif
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_MEMORY_H
