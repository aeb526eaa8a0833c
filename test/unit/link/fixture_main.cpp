// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program that the link tests link: opens its weights the way a generated
// executable does, checks them with two threads' ranges, and prints what it
// found. Arguments: none (embedded weights), or SIDECAR with the identity in
// the constant below, which the test overwrites in the object's bytes.

#include "runtime/core/weights_file.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

// Found by its text in the object file, like a constant that a compiler emits.
extern "C" const volatile char fixtureIdentity[33] =
    "0123456789abcdef0123456789abcdef";

static int constructed = 0;
__attribute__((constructor)) static void construct() { constructed = 42; }

int main(int argc, char **argv) {
  if (constructed != 42 || cos(argc - 1.0) > 1.0)
    return 3;
  dsv4::WeightsFile weights;
  uint8_t identity[32];
  for (int i = 0; i < 32; ++i)
    identity[i] = static_cast<uint8_t>(fixtureIdentity[i]);
  dsv4::Status status =
      argc > 1 ? dsv4::openSidecarWeights(argv[1], identity, weights)
               : dsv4::openEmbeddedWeights(nullptr, weights);
  uint64_t half = weights.numChunks / 2;
  if (status.isOk())
    status = dsv4::verifyChunks(weights, 0, half);
  if (status.isOk())
    status = dsv4::verifyChunks(weights, half, weights.numChunks);
  if (!status.isOk()) {
    fprintf(stderr, "error: %s\n", status.message);
    return 1;
  }
  uint64_t sum = 0;
  for (uint64_t i = 0; i < weights.bytes; ++i)
    sum += weights.data[i];
  bool aligned = reinterpret_cast<uintptr_t>(weights.data) % (2 << 20) == 0;
  printf("bytes %llu chunks %llu sum %llu aligned %d\n",
         static_cast<unsigned long long>(weights.bytes),
         static_cast<unsigned long long>(weights.numChunks),
         static_cast<unsigned long long>(sum), aligned);
  dsv4::closeWeights(weights);
  return 0;
}
