// UploadSink: spools the file parts of a multipart body to disk and keeps its text parts, within the limits of the call.
//
// Not thread-safe. Writes block for as long as the page cache takes them; the folder is removed by the gateway.
#pragma once

#include <string>

#include "base/files.h"
#include "base/random.h"
#include "domain/limits.h"
#include "http/multipart.h"
#include "service/body_source.h"
#include "service/upload_quota.h"

namespace funcgate::http {

struct UploadLimits {
  bool accept_files = false;
  std::int64_t text_bytes_max = 0, upload_bytes_max = 0, files_max = 0, fields_max = 0;
};

class UploadSink final : public PartSink {
 public:
  UploadSink(service::Multipart& out, std::string folder, UploadLimits limits, service::UploadQuota& quota, base::Random& random)
      : out_(out), folder_(std::move(folder)), limits_(limits), quota_(quota), random_(random) {}

  bool begin_part(const PartHead& head) override;
  bool part_data(std::string_view bytes) override;
  bool end_part() override;
  // Why a callback stopped the parser.
  service::MultipartResult problem() const { return problem_; }

 private:
  bool stop(service::MultipartResult problem);
  bool open_file(const PartHead& head);

  service::Multipart& out_;
  const std::string folder_;
  const UploadLimits limits_;
  service::UploadQuota& quota_;
  base::Random& random_;
  base::FileDescriptor file_;
  bool in_file_ = false;
  std::int64_t text_bytes_ = 0, upload_bytes_ = 0;
  service::MultipartResult problem_ = service::MultipartResult::Malformed;
};

}  // namespace funcgate::http
