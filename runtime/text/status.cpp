// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words of the text errors.

#include "runtime/text/status.h"

namespace dsv4::text {

const char *message(TextError error) {
  switch (error) {
  case TextError::None:
    return "no error";
  case TextError::BadBlob:
    return "the tokenizer data is damaged; compile the model again";
  case TextError::MisalignedBlob:
    return "the tokenizer data is not aligned to 8 bytes";
  case TextError::OutputTooSmall:
    return "the text has more tokens than there is room for";
  case TextError::ScratchTooSmall:
    return "the text has a word that is longer than the tokenizer's memory "
           "allows";
  case TextError::TextTooLong:
    return "the text is longer than 512 MiB";
  case TextError::MissingToken:
    return "the tokenizer lacks a control token of the prompt format; use a "
           "raw prompt";
  case TextError::BadMessage:
    return "the messages do not form a conversation";
  case TextError::BadParameter:
    return "a sampling parameter is out of its range";
  case TextError::BadLogits:
    return "the model gave no usable logit";
  }
  return "unknown error";
}

} // namespace dsv4::text
