// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A body of targets/cuda/device with its parameters, in the words that the
// device's compiler needs to make a kernel of it. Host code and kernels share
// parameter structs byte for byte, as in compiled models.

#ifndef DSV4_TEST_HARDWARE_PHASE_H
#define DSV4_TEST_HARDWARE_PHASE_H

#include "targets/cuda/emulation/Emulator.h"

#include <string>
#include <string_view>

namespace dsv4::cuda::test {

struct Phase {
  std::string body;   // "route<dsv4::cuda::test::expert_configs::...>"
  std::string params; // "dsv4::cuda::RouteParams"
  std::vector<u8> bytes;
  std::function<void()> emulated;

  /// Symbol of the kernel: the same in every process.
  std::string symbol() const {
    u64 hash = 0xcbf29ce484222325ull;
    for (char c : body + "|" + params)
      hash = (hash ^ u8(c)) * 0x100000001b3ull;
    char text[24];
    snprintf(text, sizeof text, "k_%016llx", hash);
    return text;
  }
};

/// A type as C++ writes it; clang spells every namespace and argument.
template <class T> std::string typeName() {
  std::string_view text = __PRETTY_FUNCTION__; // "... [T = X]"
  size_t begin = text.find("[T = ") + 5;
  return std::string(text.substr(begin, text.size() - begin - 1));
}

template <class... Types, class P>
Phase makePhase(const char *body, const P &params,
                std::function<void()> emulated) {
  Phase phase{body, typeName<P>(), {}, std::move(emulated)};
  std::string types;
  ((types += (types.empty() ? "" : ", ") + typeName<Types>()), ...);
  if (!types.empty())
    phase.body += "<" + types + ">";
  phase.bytes.resize(sizeof(P));
  std::memcpy(phase.bytes.data(), &params, sizeof(P));
  return phase;
}

} // namespace dsv4::cuda::test

#define DSV4_PHASE(P, BODY, ...)                                               \
  ::dsv4::cuda::test::makePhase<__VA_ARGS__>(                                  \
      #BODY, P, [=] { BODY __VA_OPT__(<__VA_ARGS__>)(P); })

#endif // DSV4_TEST_HARDWARE_PHASE_H
