#include "app/cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "base/unicode.h"
#include "service/apply/yaml_writer.h"

namespace funcgate::app::cli {
namespace {

constexpr std::string_view kNothing = "-", kGap = "  ";

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

std::string scalar_text(const json::value& value) {
  if (value.is_null()) return {};
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_string()) return visible(view(value.get_string()));
  if (value.is_double()) return fmt::format("{}", value.get_double());
  return visible(base::to_json(value));
}

// What somebody would call an object: a name, a login, or its id; without any of them what it consists of.
std::string short_text(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return scalar_text(value);
  for (const char* name : {"login", "name", "id"}) {
    const json::value* found = object->if_contains(name);
    if (found != nullptr && found->is_string()) return scalar_text(*found);
  }
  std::vector<std::string> parts;
  for (const auto& [name, content] : *object) {
    if (!content.is_null()) parts.push_back(scalar_text(content));
  }
  return base::join(parts, "/");
}

void collect(const json::value& value, std::string_view path, std::vector<std::string>& out) {
  if (path.empty()) {
    if (const json::array* list = value.if_array()) {
      for (const json::value& element : *list) out.push_back(short_text(element));
    } else if (std::string text = short_text(value); !text.empty()) {
      out.push_back(std::move(text));
    }
    return;
  }
  const std::size_t dot = path.find('.');
  std::string_view name = path.substr(0, dot);
  const std::string_view rest = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  const bool each = name.ends_with("[]");
  if (each) name.remove_suffix(2);
  const json::object* object = value.if_object();
  const json::value* found = object == nullptr ? nullptr : object->if_contains(json::string_view(name.data(), name.size()));
  if (found == nullptr) return;
  if (!each) return collect(*found, rest, out);
  if (!found->is_array()) return;
  for (const json::value& element : found->get_array()) collect(element, rest, out);
}

using Lines = std::vector<std::vector<std::string>>;

std::string aligned(const Lines& lines) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    if (widths.size() < line.size()) widths.resize(line.size());
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], base::display_columns(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i) {
      row += line[i];
      if (i + 1 < line.size()) row += std::string(widths[i] - base::display_columns(line[i]), ' ') + std::string(kGap);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    out += row + "\n";
  }
  return out;
}

bool is_list_of_objects(const json::value& value) {
  return value.is_array() && !value.get_array().empty() &&
         std::all_of(value.get_array().begin(), value.get_array().end(), [](const json::value& one) { return one.is_object(); });
}

// Elements that are no more than an id with a name are as good on one line.
bool is_list_of_links(const json::value& value) {
  return std::all_of(value.get_array().begin(), value.get_array().end(), [](const json::value& one) {
    const json::object& object = one.get_object();
    return object.size() <= 2 && object.contains("id") && (object.contains("name") || object.contains("login"));
  });
}

std::string list_text(const json::value& value) {
  std::vector<std::string> parts;
  collect(value, "", parts);
  return parts.empty() ? std::string(kNothing) : base::join(parts, ", ");
}

}  // namespace

// C1 controls, U+0080 to U+009F, are C2 80 to C2 9F in UTF-8.
std::string visible(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte < 0x20 || byte == 0x7f) {
      out += byte == '\n' || byte == '\t' ? std::string(" ") : fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {
      out += fmt::format("\\x{:02x}", next);
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Format parse_format(std::string_view text) {
  if (text == "json") return Format::Json;
  return text == "yaml" ? Format::Yaml : Format::Table;
}

std::string cell_text(const json::value& row, std::string_view path) {
  std::vector<std::string> texts;
  const std::vector<std::string_view> paths = base::split(path, ' ');
  for (const std::string_view one : paths) {
    std::vector<std::string> found;
    collect(row, one, found);
    if (!found.empty()) texts.push_back(base::join(found, ", "));
  }
  const std::string text = base::join(texts, " ");
  return text.empty() ? std::string(kNothing) : text;
}

std::string render_table(const json::array& rows, std::span<const Column> columns) {
  if (rows.empty()) return "(none)\n";
  Lines lines(1);
  for (const Column& column : columns) lines.front().emplace_back(column.title);
  for (const json::value& row : rows) {
    std::vector<std::string> line;
    for (const Column& column : columns) line.push_back(cell_text(row, column.path));
    lines.push_back(std::move(line));
  }
  return aligned(lines);
}

std::string render_object(const json::value& value) {
  if (!value.is_object()) return list_text(value) + "\n";
  Lines lines;
  std::string below;
  for (const auto& [key, content] : value.get_object()) {
    const std::string name(key.data(), key.size());
    if (is_list_of_objects(content) && !is_list_of_links(content)) {
      std::vector<std::string> names;
      for (const auto& [column, ignored] : content.get_array().front().get_object())
        names.emplace_back(column.data(), column.size());
      std::vector<Column> columns;
      for (const std::string& column : names) columns.push_back({column, column});
      below += fmt::format("\n{}\n{}", name, render_table(content.get_array(), columns));
    } else if (content.is_object()) {
      for (const auto& [inner, inner_value] : content.get_object())
        lines.push_back({name + "." + std::string(inner.data(), inner.size()), list_text(inner_value)});
    } else {
      lines.push_back({name, list_text(content)});
    }
  }
  return aligned(lines) + below;
}

namespace {

void append_pretty(std::string& out, const json::value& value, std::size_t indent) {
  const auto begin_line = [&](bool first) { out += (first ? "\n" : ",\n") + std::string(indent + 2, ' '); };
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    bool first = true;
    for (const auto& [name, content] : *object) {
      begin_line(first);
      first = false;
      base::append_json_string(out, std::string_view(name.data(), name.size()));
      out += ": ";
      append_pretty(out, content, indent + 2);
    }
    out += "\n" + std::string(indent, ' ') + "}";
  } else if (const json::array* list = value.if_array(); list != nullptr && !list->empty()) {
    out += '[';
    bool first = true;
    for (const json::value& element : *list) {
      begin_line(first);
      first = false;
      append_pretty(out, element, indent + 2);
    }
    out += "\n" + std::string(indent, ' ') + "]";
  } else {
    out += base::to_json(value);
  }
}

}  // namespace

std::string render_json(const json::value& value) {
  std::string out;
  append_pretty(out, value, 0);
  return out + "\n";
}

void print(Format format, const json::value& value, std::span<const Column> columns) {
  std::string text;
  switch (format) {
    case Format::Json: text = render_json(value); break;
    case Format::Yaml: text = service::to_yaml(value); break;
    case Format::Table:
      text = !columns.empty() && value.is_array() ? render_table(value.get_array(), columns) : render_object(value);
      break;
  }
  if (!text.ends_with('\n')) text += '\n';
  std::fwrite(text.data(), 1, text.size(), stdout);
}

base::Status write_output(std::string_view text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (std::fflush(stdout) == 0 && written && std::ferror(stdout) == 0) return base::kDone;
  // What failed earlier has left its mark and not its number.
  const std::string why = errno != 0 ? base::errno_text(errno) : std::string("what was written before did not arrive");
  return base::Error{base::Code::ResourceExhausted, "cannot write to standard output: " + why, {}};
}

}  // namespace funcgate::app::cli
