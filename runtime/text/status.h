// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Results of the text functions: an error code, because the runtime has neither
// exceptions nor allocation. message() gives the words for the user.

#ifndef DSV4_RUNTIME_TEXT_STATUS_H
#define DSV4_RUNTIME_TEXT_STATUS_H

#include <cstddef>
#include <cstdint>

namespace dsv4::text {

enum class TextError : uint8_t {
  None = 0,
  BadBlob,         // the tokenizer data is not a valid tokenizer blob
  MisalignedBlob,  // the tokenizer data does not start at a multiple of 8
  OutputTooSmall,  // the caller's output memory is full
  ScratchTooSmall, // the caller's scratch memory is too small for this text
  TextTooLong,     // more bytes than maxTextBytes
  MissingToken,    // the tokenizer lacks a control token of the prompt format
  BadMessage,      // a message sequence that the prompt format cannot express
  BadParameter,    // a sampling parameter out of its range
  BadLogits,       // every logit is NaN or minus infinity
};

/// A value or an error; `count` is meaningful only without an error.
struct CountResult {
  TextError error = TextError::None;
  size_t count = 0;
  explicit operator bool() const { return error == TextError::None; }
};

/// One line without a final period, in static storage.
const char *message(TextError error);

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_STATUS_H
