// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Progress.h.

#include "compiler/driver/Progress.h"

#include <cstdio>
#include <unistd.h>

namespace dsv4 {

namespace {

/// Redraw intervals: smooth on a terminal, rare in a log file.
constexpr double TerminalInterval = 0.1, LogInterval = 5.0;

std::string format(const char *pattern, double value, const char *unit) {
  char text[64];
  snprintf(text, sizeof(text), pattern, value, unit);
  return text;
}

std::string humanSeconds(double s) {
  char text[64];
  if (s < 60)
    snprintf(text, sizeof(text), "%.1f s", s);
  else
    snprintf(text, sizeof(text), "%d min %02d s", int(s) / 60, int(s) % 60);
  return text;
}

} // namespace

std::string humanBytes(uint64_t bytes) {
  if (bytes >= 1000000000)
    return format("%.2f %s", bytes / 1e9, "GB");
  if (bytes >= 1000000)
    return format("%.1f %s", bytes / 1e6, "MB");
  if (bytes >= 1000)
    return format("%.1f %s", bytes / 1e3, "kB");
  return std::to_string(bytes) + " B";
}

Progress::Progress(bool quiet) : quiet(quiet), terminal(isatty(2)) {}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - started).count();
}

void Progress::draw(const std::string &text, bool last) {
  if (quiet)
    return;
  if (!terminal) {
    fprintf(stderr, "%s\n", text.c_str());
    return;
  }
  std::string line = text;
  if (line.size() < width)
    line.append(width - line.size(), ' ');
  fprintf(stderr, "\r%s%s", line.c_str(), last ? "\n" : "");
  fflush(stderr);
  width = last ? 0 : text.size();
}

void Progress::begin(const std::string &name) {
  if (running)
    end();
  phase = name;
  running = true;
  started = Clock::now();
  drawn = started;
  if (terminal)
    draw(phase + " ...", false);
}

void Progress::done(const std::string &name, double seconds) {
  draw(name + ": " + format("%.3f %s", seconds, "s"), true);
}

void Progress::bytes(uint64_t done, uint64_t total) {
  auto now = Clock::now();
  double since = std::chrono::duration<double>(now - drawn).count();
  if (quiet || since < (terminal ? TerminalInterval : LogInterval))
    return;
  drawn = now;
  double s = seconds(), rate = s > 0 ? done / s : 0;
  double left = rate > 0 && total > done ? (total - done) / rate : 0;
  char share[16];
  snprintf(share, sizeof(share), "%3.0f %%",
           total ? 100.0 * done / total : 100);
  draw(phase + ": " + share + ", " + humanBytes(done) + " of " +
           humanBytes(total) + ", " + humanBytes(uint64_t(rate)) + "/s, " +
           humanSeconds(left) + " to go",
       false);
}

void Progress::end(const std::string &remark) {
  if (!running)
    return;
  running = false;
  std::string text = phase + ": " + format("%.3f %s", seconds(), "s");
  draw(remark.empty() ? text : text + ", " + remark, true);
}

} // namespace dsv4
