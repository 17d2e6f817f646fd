// BodySource: the body of one request, read only when somebody asks, and never before the caller is accepted (except what a
// scheme needs). Implemented by the connection. Bytes stay where they are until the answer is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "domain/invocation.h"

namespace funcgate::service {

enum class BodyResult : std::uint8_t { Complete, Prefix, TooLarge, TimedOut, Malformed, Gone };

// One spooled file of a multipart body.
struct UploadedFile {
  std::string path, original_name, encoding, media_type;
  std::int64_t bytes = 0;
};
struct Multipart {
  std::vector<domain::FormPart> parts;  // text parts, in order
  std::vector<UploadedFile> files;
};
enum class MultipartResult : std::uint8_t {
  Complete,
  TooLarge,
  TooManyFields,
  FilesNotAccepted,
  TimedOut,
  Malformed,
  Gone,
  DiskQuota
};

class BodySource {
 public:
  virtual ~BodySource() = default;
  // Reads until `bytes_max` bytes or the end are there; sets call.body and call.body_complete. TooLarge: known to be longer than
  // `bytes_max` (Content-Length) and nothing was read.
  virtual base::Async<BodyResult> read(std::size_t bytes_max, bool prefix_is_enough) = 0;
  // Reads a multipart body. Text parts go to `out`, file parts below `folder` (made on the first one). `accept_files` false: the
  // first file part ends it.
  virtual base::Async<MultipartResult> read_multipart(Multipart& out, const std::string& folder, bool accept_files,
                                                      std::int64_t text_bytes_max, std::int64_t upload_bytes_max) = 0;
  // The decoded body (Content-Encoding: gzip), at most `bytes_max`.
  virtual BodyResult inflate(std::size_t bytes_max) = 0;
};

}  // namespace funcgate::service
