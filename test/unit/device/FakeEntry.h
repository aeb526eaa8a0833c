// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the entry points of the fake driver share.

#ifndef DSV4_TEST_UNIT_DEVICE_FAKEENTRY_H
#define DSV4_TEST_UNIT_DEVICE_FAKEENTRY_H

#include "FakeDevice.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

// Returns what the call must return before it does anything.
#define ENTER(name, needsContext)                                              \
  Machine &m = machine();                                                      \
  if (Result failed = m.enter(#name, needsContext))                            \
    return failed;
#define ENTER_RELEASE(name)                                                    \
  Machine &m = machine();                                                      \
  Result failed = m.enter(#name, true);

namespace fakecuda {

/// Destroys a handle that the fake has given out.
template <typename T, typename Handle>
Result destroy(Machine &m, std::set<T *> &all, Handle handle, Result failed,
               const char *what) {
  T *one = reinterpret_cast<T *>(handle);
  if (!all.count(one))
    return m.misused(std::string(what) + " that is not there", InvalidHandle);
  all.erase(one);
  delete one;
  return failed;
}

template <typename T, typename Handle>
Result create(std::set<T *> &all, Handle *handle, T *one) {
  all.insert(one);
  *handle = reinterpret_cast<Handle>(one);
  return Success;
}

inline FakeStream *streamOf(Stream s) {
  return reinterpret_cast<FakeStream *>(s);
}
inline FakeGraph *graphOf(GraphHandle g) {
  return reinterpret_cast<FakeGraph *>(g);
}

} // namespace fakecuda

#endif // DSV4_TEST_UNIT_DEVICE_FAKEENTRY_H
