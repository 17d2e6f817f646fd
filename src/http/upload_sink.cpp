#include "http/upload_sink.h"

#include <fcntl.h>

#include "base/log.h"
#include "base/text.h"

namespace funcgate::http {

using service::MultipartResult;

bool UploadSink::stop(MultipartResult problem) {
  problem_ = problem;
  return false;
}

bool UploadSink::begin_part(const PartHead& head) {
  in_file_ = head.file_name.has_value();
  if (in_file_) {
    if (!limits_.accept_files) return stop(MultipartResult::FilesNotAccepted);
    if (static_cast<std::int64_t>(out_.files.size()) >= limits_.files_max) return stop(MultipartResult::TooManyFields);
    return open_file(head);
  }
  if (static_cast<std::int64_t>(out_.parts.size()) >= limits_.fields_max) return stop(MultipartResult::TooManyFields);
  out_.parts.push_back({head.name, {}});
  return true;
}

bool UploadSink::open_file(const PartHead& head) {
  if (out_.files.empty()) {
    if (auto status = base::make_folder(folder_, 0700); !status.ok()) {
      base::log::error("upload.folder_failed", {{"error", status.error().message}});
      return stop(MultipartResult::DiskQuota);
    }
  }
  service::UploadedFile file;
  file.path = folder_ + "/" + random_.alphanumeric(24);
  // Only the last component of what the caller calls it, and never as a path.
  std::string_view name = *head.file_name;
  if (const std::size_t slash = name.find_last_of("/\\"); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  if (name == "." || name == "..") name = {};
  file.original_name =
      base::is_valid_utf8(name) ? std::string(base::truncate_utf8(name, 255)) : base::latin1_to_utf8(name.substr(0, 120));
  file.encoding = head.encoding;
  file.media_type = head.content_type;
  file_ = base::FileDescriptor(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) return stop(MultipartResult::DiskQuota);
  out_.files.push_back(std::move(file));
  return true;
}

bool UploadSink::part_data(std::string_view bytes) {
  const auto count = static_cast<std::int64_t>(bytes.size());
  if (!in_file_) {
    text_bytes_ += count;
    if (text_bytes_ > limits_.text_bytes_max) return stop(MultipartResult::TooLarge);
    out_.parts.back().value.append(bytes);
    return true;
  }
  upload_bytes_ += count;
  if (upload_bytes_ > limits_.upload_bytes_max) return stop(MultipartResult::TooLarge);
  if (!quota_.take(count)) return stop(MultipartResult::DiskQuota);
  out_.files.back().bytes += count;
  if (auto status = base::write_all(file_.get(), bytes); !status.ok()) return stop(MultipartResult::DiskQuota);
  return true;
}

bool UploadSink::end_part() {
  if (in_file_) {
    file_.reset();
    return true;
  }
  return base::is_valid_utf8(out_.parts.back().value) || stop(MultipartResult::Malformed);
}

}  // namespace funcgate::http
