// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a person sees while a model is compiled: one line per phase with its
// time, and for long work (packing 160 GB) bytes, rate and time to go. On a
// terminal the running line is redrawn in place; elsewhere only plain finished
// lines are printed, at most one every few seconds. Everything goes to stderr.

#ifndef DSV4_COMPILER_DRIVER_PROGRESS_H
#define DSV4_COMPILER_DRIVER_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <string>

namespace dsv4 {

class Progress {
public:
  /// `quiet` prints nothing at all.
  explicit Progress(bool quiet);

  /// Starts a phase; finishes the one before it.
  void begin(const std::string &phase);

  /// A phase that took `seconds` and is over.
  void done(const std::string &phase, double seconds);

  /// Bytes done of a total, for phases that take long.
  void bytes(uint64_t done, uint64_t total);

  /// Ends the running phase with its time and an optional remark.
  void end(const std::string &remark = "");

private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;
  void draw(const std::string &text, bool last);

  bool quiet, terminal;
  bool running = false;
  std::string phase;
  Clock::time_point started, drawn;
  size_t width = 0; // columns of the line on screen, to blank it
};

/// "1.24 GB", "312 MB", "88.0 kB", "17 B" (decimal units, as disks are sold).
std::string humanBytes(uint64_t bytes);

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_PROGRESS_H
