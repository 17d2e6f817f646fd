// The program's commands as data, read from its parser: for the completion of shells and for the reference page.
//
// Thread-safety: one thread.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

#include "base/json.h"

namespace funcgate::app::cli {

// {"words", "help", "examples", "arguments": [{"name", "help", "many"}], "options": [{"names", "value", "help", "default",
// "required", "choices", "group"}], "commands": […]}; hidden commands are left out.
base::json::object describe_commands(const CLI::App& app, const std::string& words = "funcgate");
// A completion script: "bash", "zsh" or "fish".
std::string completion_script(const CLI::App& app, std::string_view shell);

}  // namespace funcgate::app::cli
