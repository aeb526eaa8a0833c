// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See upload_progress.h.

#include "runtime/serve/upload_progress.h"

#include "runtime/base/clock.h"

#include <stdio.h>
#include <unistd.h>

namespace dsv4::serve {

namespace {

/// Seconds between two lines: smooth on a terminal, rare in a log file.
constexpr double terminalInterval = 0.1, logInterval = 5;

struct {
  uint64_t before = 0; // bytes at the last call
  double started = 0, drawn = 0;
} shown;

} // namespace

void formatUpload(char *text, size_t size, uint64_t done, uint64_t all,
                  double took) {
  double rate = took > 0 ? double(done) / took : 0;
  double left = rate > 0 ? double(all - done) / rate : 0;
  snprintf(text, size,
           "copying weights to the GPU: %3.0f %%, %.1f of %.1f GB, %.1f GB/s, "
           "%.0f s to go",
           all ? 100 * double(done) / double(all) : 100, double(done) * 1e-9,
           double(all) * 1e-9, rate * 1e-9, left);
}

void showUpload(void *, uint64_t done, uint64_t all) {
  double now = seconds();
  if (done < shown.before || !shown.before) {
    // The first chunk is over already; it counts as no time.
    shown.started = shown.drawn = now;
  }
  shown.before = done == all ? 0 : done;
  bool isTerminal = isatty(2), isLast = done == all;
  double since = now - shown.drawn;
  bool isDue = since >= (isTerminal ? terminalInterval : logInterval);
  // What was quick needs no line; a line that is there gets its end.
  bool wasDrawn = shown.drawn > shown.started;
  if (!isDue && !(isLast && wasDrawn && isTerminal))
    return;
  shown.drawn = now;
  char text[128];
  formatUpload(text, sizeof(text), done, all, now - shown.started);
  if (isTerminal)
    fprintf(stderr, "\r%-78s%s", text, isLast ? "\n" : "");
  else
    fprintf(stderr, "%s\n", text);
}

} // namespace dsv4::serve
