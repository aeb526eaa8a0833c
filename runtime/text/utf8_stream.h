// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Output of generated text: tokens are byte strings that may end inside a
// character, so bytes of an unfinished character are held back until the next
// token. What can never become valid is written as U+FFFD.

#ifndef DSV4_RUNTIME_TEXT_UTF8_STREAM_H
#define DSV4_RUNTIME_TEXT_UTF8_STREAM_H

#include <cstddef>
#include <span>
#include <string_view>

namespace dsv4::text {

class Utf8Stream {
public:
  /// Output memory that suffices for push() of `bytes` bytes, and for
  /// finish() with 0.
  static constexpr size_t maxOutput(size_t bytes) { return 3 * (bytes + 3); }

  /// Appends `bytes` and writes what is certain to `out`, which has at least
  /// maxOutput(bytes.size()) bytes; returns the bytes written.
  size_t push(std::string_view bytes, std::span<char> out);

  /// Ends the text: an unfinished character becomes U+FFFD. The stream is then
  /// as new.
  size_t finish(std::span<char> out);

  /// Bytes held back, 0 to 3.
  size_t held() const { return heldBytes; }

private:
  unsigned char tail[4] = {};
  size_t heldBytes = 0;
};

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_UTF8_STREAM_H
