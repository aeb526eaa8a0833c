// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a person sees while weights are copied to a GPU, as compile-model shows
// long work: on a terminal a line that is redrawn, elsewhere a line every few
// seconds. On stderr.

#ifndef DSV4_RUNTIME_SERVE_UPLOAD_PROGRESS_H
#define DSV4_RUNTIME_SERVE_UPLOAD_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

namespace dsv4::serve {

/// Bytes done of all; the argument before them is not used. A call with the
/// first bytes of a copy starts the clock.
void showUpload(void *, uint64_t done, uint64_t all);

/// "copying weights to the GPU:  25 %, 40.0 of 160.0 GB, 20.0 GB/s, 6 s to go"
void formatUpload(char *text, size_t size, uint64_t done, uint64_t all,
                  double seconds);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_UPLOAD_PROGRESS_H
