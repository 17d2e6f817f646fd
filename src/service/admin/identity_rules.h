// Rules that hold for the names of users, user groups, roles and keys, wherever they come from (spec: docs/identity.md).
//
// Every function brings `text` into its stored form and adds what is wrong to `findings` under `path`.
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace funcgate::service {

// The form in which names are stored and compared: NFC, trimmed. What is not UTF-8 stays as it is: check_name() refuses it.
std::string stored_name(std::string_view text);
// Names of groups, roles and keys: 1 to 100 characters, NFC, trimmed, no control characters.
void check_name(std::string& text, std::string_view path, std::vector<base::Finding>& findings);
// Lower case; ^[a-z0-9][a-z0-9._@+-]{0,99}$; neither "system" nor "anonymous".
void check_login(std::string& text, std::string_view path, std::vector<base::Finding>& findings);
// Free texts: at most `characters_max`, NFC; control characters only if `lines` (then line feed and tab).
void check_free_text(std::string& text, std::string_view path, std::size_t characters_max, bool lines,
                     std::vector<base::Finding>& findings);
// Empty, or something before and after one @, without blanks; at most 254 characters.
void check_email(std::string& text, std::string_view path, std::vector<base::Finding>& findings);

// Puts `id` into the sorted list or takes it out; true if that changed anything.
bool set_link(std::vector<std::string>& sorted, const std::string& id, bool there);

inline constexpr std::size_t kNameCharactersMax = 100, kDescriptionCharactersMax = 2000, kEmailCharactersMax = 254;

}  // namespace funcgate::service
