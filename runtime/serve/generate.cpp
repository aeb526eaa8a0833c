// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See generate.h.

#include "runtime/serve/generate.h"

namespace dsv4::serve {

namespace {

constexpr size_t MaxSegments = 1 << 16;
/// Of a piece of text without a break (a word, a run of signs); a longer one is
/// refused. Bounds the memory of merges: 72 bytes for each of these.
constexpr uint64_t MaxPieceBytes = 1 << 20;

Status textStatus(text::TextError error) {
  switch (error) {
  case text::TextError::None:
    return okStatus();
  case text::TextError::BadBlob:
  case text::TextError::MisalignedBlob:
  case text::TextError::BadLogits: // nothing that the user asked for
    return makeError(Code::Corrupt, "%s", text::message(error));
  default:
    return makeError(Code::InvalidArgument, "%s", text::message(error));
  }
}

uint64_t roundUp64(uint64_t bytes) { return (bytes + 63) & ~uint64_t(63); }

} // namespace

Status Generator::open(const dsv4_program &program, const Flags &flags,
                       uint64_t textBytes, uint64_t ownBytes) {
  if (program.tokenizer.size == 0)
    return makeError(Code::InvalidArgument,
                     "this executable has no tokenizer: it was compiled with "
                     "--no-tokenizer");
  text::TextError error = text::Tokenizer::open(
      program.tokenizer.data, size_t(program.tokenizer.size), tokenizer);
  if (error == text::TextError::None && !flags.raw)
    error = text::ChatTokens::resolve(tokenizer, chatTokens);
  DSV4_RETURN_IF_ERROR(textStatus(error));
  textRoom = textBytes + 4096; // an effort text
  idRoom = plannedContext(program, flags);
  uint64_t scratchBytes = text::Tokenizer::maxScratchBytes(
      textRoom < MaxPieceBytes ? textRoom : MaxPieceBytes);
  uint64_t samplerBytes =
      text::samplerScratchBytes(size_t(program.limits.vocab));
  EngineOptions options = engineOptions(flags);
  options.extraBytes = roundUp64(uint64_t(idRoom) * 4) + roundUp64(textRoom) +
                       roundUp64(scratchBytes) + roundUp64(samplerBytes) +
                       roundUp64(MaxSegments * sizeof(text::ChatSegment)) +
                       ownBytes;
  DSV4_RETURN_IF_ERROR(engine.open(program, options));
  char *at = (char *)engine.extra();
  auto take = [&](uint64_t bytes) {
    char *part = at;
    at += roundUp64(bytes);
    return part;
  };
  idBuffer = (int32_t *)take(uint64_t(idRoom) * 4);
  textBuffer = take(textRoom);
  scratch = {(std::byte *)take(scratchBytes), size_t(scratchBytes)};
  samplerScratch = {(std::byte *)take(samplerBytes), size_t(samplerBytes)};
  segments = (text::ChatSegment *)take(MaxSegments * sizeof(text::ChatSegment));
  ownMemory = at;
  return okStatus();
}

Status Generator::encoded(text::CountResult result) {
  idCount = int64_t(result.count);
  if (result.error == text::TextError::OutputTooSmall)
    return makeError(Code::InvalidArgument,
                     "the prompt has more tokens than the context, %lld; use a "
                     "larger --context",
                     (long long)engine.context());
  return textStatus(result.error);
}

Status Generator::encodeRaw(const char *prompt, size_t bytes) {
  return encoded(tokenizer.encode({prompt, bytes}, text::SpecialTokens::Parse,
                                  {idBuffer, size_t(idRoom)}, scratch));
}

Status Generator::encodeChat(std::span<const text::ChatMessage> messages,
                             const text::ChatOptions &options) {
  if (text::chatTextBytes(messages, options) > textRoom ||
      text::maxChatSegments(messages.size()) > MaxSegments)
    return makeError(Code::InvalidArgument,
                     "the conversation is longer than the context; use a "
                     "larger --context");
  text::RenderedChat chat = text::renderChat(
      messages, options, chatTokens,
      {{textBuffer, size_t(textRoom)}, {segments, MaxSegments}});
  DSV4_RETURN_IF_ERROR(textStatus(chat.error));
  return encoded(text::encodeChat(tokenizer, chat.segments,
                                  {textBuffer, size_t(textRoom)},
                                  {idBuffer, size_t(idRoom)}, scratch));
}

Status Generator::print(int32_t token, bool showControl) {
  if (tokenizer.isControl(token) && !showControl) {
    if (!isThinking || token != chatTokens.thinkEnd)
      return okStatus();
    DSV4_RETURN_IF_ERROR(flushText());
    isThinking = false;
    return writeAll(2, "\n", 1);
  }
  std::string_view piece = tokenizer.piece(token);
  char out[4096];
  for (size_t at = 0; at < piece.size(); at += 1024) {
    std::string_view part = piece.substr(at, 1024);
    size_t bytes = stream.push(part, out);
    DSV4_RETURN_IF_ERROR(writeAll(isThinking ? 2 : 1, out, bytes));
  }
  return okStatus();
}

Status Generator::flushText() {
  char out[64];
  size_t bytes = stream.finish(out);
  return writeAll(isThinking ? 2 : 1, out, bytes);
}

Status Generator::prefill(int64_t from) {
  int64_t most = engine.maxStepTokens();
  for (int64_t at = from; at < idCount; at += most) {
    if (interrupted())
      return makeError(Code::Interrupted, "interrupted");
    int64_t part = idCount - at < most ? idCount - at : most;
    DSV4_RETURN_IF_ERROR(
        engine.feed(0, idBuffer + at, part, at + part == idCount));
  }
  return okStatus();
}

Status Generator::answer(int64_t from, int64_t limit, const Flags &flags) {
  int64_t room = engine.context() - idCount;
  if (room < 0 || idCount == 0)
    return makeError(Code::InvalidArgument,
                     idCount ? "the prompt has %lld tokens, the context %lld; "
                               "use a larger --context"
                             : "the prompt has %lld tokens",
                     (long long)idCount, (long long)engine.context());
  if (limit < 0 || limit > room)
    limit = room;
  double start = seconds();
  fed = idCount - from;
  DSV4_RETURN_IF_ERROR(prefill(from));
  prefillTime = seconds() - start;
  start = seconds();
  newTokens = 0;
  isThinking = flags.think && !flags.raw;
  while (newTokens < limit && !interrupted()) {
    text::SampleResult sampled =
        text::sample({engine.logits(0), size_t(engine.vocab())}, flags.sampler,
                     uint64_t(engine.length(0)), samplerScratch);
    DSV4_RETURN_IF_ERROR(textStatus(sampled.error));
    ++newTokens;
    bool isEnd =
        sampled.token == engine.program().eos_token && !flags.ignoreEos;
    DSV4_RETURN_IF_ERROR(print(sampled.token, flags.raw));
    idBuffer[idCount++] = sampled.token;
    if (isEnd || newTokens == limit)
      break;
    DSV4_RETURN_IF_ERROR(engine.feed(0, &sampled.token, 1, 1));
  }
  decodeTime = seconds() - start;
  DSV4_RETURN_IF_ERROR(flushText());
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  return okStatus();
}

} // namespace dsv4::serve
