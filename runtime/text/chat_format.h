// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The official prompt form of plain conversations (model.md 5.3 and 5.4):
// system, user, assistant and reminder turns, chat and thinking mode, effort
// texts. A prompt is a sequence of segments, each a control token or text, so
// that nothing in a message can act as a control token. Memory is the caller's.

#ifndef DSV4_RUNTIME_TEXT_CHAT_FORMAT_H
#define DSV4_RUNTIME_TEXT_CHAT_FORMAT_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/text/status.h"
#include "runtime/text/tokenizer.h"

namespace dsv4::text {

enum class ChatRole : uint8_t { System, User, Assistant, Reminder };

struct ChatMessage {
  ChatRole role = ChatRole::User;
  std::string_view content;
  std::string_view reasoning; // of an assistant message, without its tags
};

/// Which official encoder: they differ in the effort texts only.
enum class ChatRelease : uint8_t { Preview, Release0731 };
enum class ChatMode : uint8_t { Chat, Thinking };
enum class ChatEffort : uint8_t { Default, Low, High, Max };

struct ChatOptions {
  ChatRelease release = ChatRelease::Preview;
  ChatMode mode = ChatMode::Chat;
  ChatEffort effort = ChatEffort::Default; // has no effect in chat mode
  bool dropThinking = true; // leave out the reasoning of earlier turns
};

/// Text right after BOS in thinking mode, empty where the effort adds none.
std::string_view effortText(ChatRelease release, ChatEffort effort);
/// Whether this release knows the effort by name (the preview has no "low").
bool hasEffort(ChatRelease release, ChatEffort effort);

/// Ids of the control tokens, -1: absent.
struct ChatTokens {
  int32_t bos = -1, eos = -1, user = -1, assistant = -1;
  int32_t thinkBegin = -1, thinkEnd = -1, reminder = -1;

  /// Looks all of them up by their text. MissingToken if one of the first six
  /// is absent.
  static TextError resolve(const Tokenizer &tokenizer, ChatTokens &result);
};

/// One control token (token >= 0), or text.size() > 0 bytes of the buffer.
struct ChatSegment {
  int32_t token = -1;
  size_t begin = 0;
  size_t size = 0;
};

/// Memory for a rendered prompt: see chatTextBytes() and maxChatSegments().
struct ChatBuffer {
  std::span<char> text;
  std::span<ChatSegment> segments;
};

struct RenderedChat {
  TextError error = TextError::None;
  std::span<const ChatSegment> segments;
};

/// Upper bounds of what renderChat() writes.
size_t chatTextBytes(std::span<const ChatMessage> messages,
                     const ChatOptions &options);
constexpr size_t maxChatSegments(size_t messages) { return 4 * messages + 2; }

/// Renders `messages`; a last user message is followed by the tokens that open
/// the answer. Neighbouring user messages become one turn. Errors: BadMessage
/// (none, or an assistant message first), BadParameter (unknown effort),
/// MissingToken, OutputTooSmall.
RenderedChat renderChat(std::span<const ChatMessage> messages,
                        const ChatOptions &options, const ChatTokens &tokens,
                        ChatBuffer buffer);

/// Ids of rendered segments; text is encoded without control tokens. Scratch
/// as for Tokenizer::encode(). Errors: those of encode().
CountResult encodeChat(const Tokenizer &tokenizer,
                       std::span<const ChatSegment> segments,
                       std::span<const char> text, std::span<int32_t> out,
                       std::span<std::byte> scratch);

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_CHAT_FORMAT_H
