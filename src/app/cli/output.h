// What commands print: aligned tables for people, JSON and YAML for programs.
//
// Tables show texts of the server, which others may have written: control characters are made visible, so that no name can move
// the cursor or repaint the terminal. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace funcgate::app::cli {

namespace json = base::json;

enum class Format { Table, Json, Yaml };
// "table", "json", "yaml".
Format parse_format(std::string_view text);

struct Column {
  std::string_view title;
  // Member of a row: "login"; of a member: "user.login"; of each element of a list: "groups[].name"; several with blanks between.
  std::string_view path;
};

// Control characters as \xNN, line ends and tabs as blanks.
std::string visible(std::string_view text);
// One line of text for a value: yes and no, "-" for nothing, lists with commas.
std::string cell_text(const json::value& row, std::string_view path);
// Title line, then a line per row; "(none)" without rows. Columns are as wide as their widest cell on a terminal.
std::string render_table(const json::array& rows, std::span<const Column> columns);
// A line per member: its name, then its value. Objects in lists become small tables of their own below.
std::string render_object(const json::value& object);
// JSON indented by two blanks, with a line end.
std::string render_json(const json::value& value);

// Prints `value` in the wanted form. `columns` empty: an object.
void print(Format format, const json::value& value, std::span<const Column> columns = {});

// Writes to standard output, and sees to it that everything so far has arrived there. ResourceExhausted: not all has, because a
// disk is full or nobody reads the pipe any more.
base::Status write_output(std::string_view text);

}  // namespace funcgate::app::cli
