#include "audit/block.h"

#include <algorithm>
#include <array>

#include "audit/byte_code.h"
#include "audit/trace_code.h"
#include "crypto/hash.h"

namespace funcgate::audit {
namespace {

constexpr char kVersion = 2, kFirstVersion = 1;
constexpr std::size_t kCallerTexts = 7;

enum Flag : std::uint8_t {
  kCached = 1,
  kHasTask = 2,
  kShortTrace = 4,  // 16 bytes of a trace id made here
  kIsV4 = 8,
  kIsV6 = 16,  // neither: the Unix socket
  kMerged = 32,
  kHasRun = 64,
};

// Beside the code of a path: the id in it is no API's and follows as a text.
constexpr std::uint8_t kAskedId = 0x80;

// Stored numbers may be anything: sums wrap instead of being undefined.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::string_view raw(const unsigned char* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

std::uint64_t BlockPacker::text(std::string_view value) {
  if (value.empty()) return 0;
  if (const auto found = text_index_.find(value); found != text_index_.end()) return found->second;
  texts_.emplace_back(value);
  text_index_.emplace(texts_.back(), texts_.size());
  return texts_.size();
}

std::uint64_t BlockPacker::shared_text(const std::shared_ptr<const std::string>& value) {
  if (value == nullptr) return 0;
  if (const auto found = shared_index_.find(value); found != shared_index_.end()) return found->second;
  const std::uint64_t index = text(*value);
  shared_index_.emplace(value, index);
  return index;
}

std::uint64_t BlockPacker::caller(const domain::PrincipalPtr& value) {
  if (value == nullptr) return 0;
  if (const auto found = caller_index_.find(value); found != caller_index_.end()) return found->second;
  const domain::PrincipalFields& fields = value->fields();
  const std::array<std::string_view, kCallerTexts> parts{fields.type,    fields.auth_id, fields.name,    fields.run_as,
                                                         fields.user_id, fields.key_id,  fields.key_name};
  for (std::string_view part : parts) append_number(callers_, text(part));
  const std::uint64_t index = caller_index_.size() + 1;
  caller_index_.emplace(value, index);
  return index;
}

void BlockPacker::add(const domain::CallRecord& record) {
  const std::int64_t duration_us = std::max<std::int64_t>(record.duration_ns, 0) / 1000;
  if (count_ == 0) base_ms_ = first_ms_ = last_ms_ = record.trigger_time_ms;
  first_ms_ = std::min(first_ms_, record.trigger_time_ms);
  last_ms_ = std::max({last_ms_, record.trigger_time_ms, record.end_time_ms});
  ++count_;
  add_origin(record);
  add_path(record);
  append_signed(records_, record.trigger_time_ms - base_ms_);
  append_number(records_, static_cast<std::uint64_t>(duration_us));
  // Near 0, unless refusals were merged: both clocks went on by as much.
  append_signed(records_, record.end_time_ms - record.trigger_time_ms - duration_us / 1000);
  if (record.start_time_ms != 0) {
    append_signed(records_, record.start_time_ms - record.trigger_time_ms);
    append_signed(records_, record.queue_us);
    append_signed(records_, record.run_us);
  }
  append_number(records_, shared_text(record.api_id));
  append_number(records_, shared_text(record.func_id));
  append_signed(records_, record.api_version);
  append_signed(records_, record.publish_version);
  append_number(records_, caller(record.caller));
  append_number(records_, text(record.auth_id));
  append_signed(records_, record.status);
  append_number(records_, text(record.error));
  append_number(records_, text(domain::reason_token(record.reason)));
  if (record.count != 1) append_number(records_, record.count);
  if (!record.task_id.empty()) append_text(records_, record.task_id);
}

// Flags, method, address and trace id: what is (nearly) different in each record, hence not in the tables.
void BlockPacker::add_origin(const domain::CallRecord& record) {
  const bool local = record.address == domain::Address();
  const auto short_trace = shorten_trace_id(record.trace_id);
  std::uint8_t flags = 0;
  if (record.cached) flags |= kCached;
  if (!record.task_id.empty()) flags |= kHasTask;
  if (short_trace) flags |= kShortTrace;
  if (!local) flags |= record.address.is_v4() ? kIsV4 : kIsV6;
  if (record.count != 1) flags |= kMerged;
  if (record.start_time_ms != 0) flags |= kHasRun;
  records_.push_back(static_cast<char>(flags));
  records_.push_back(static_cast<char>(record.method));
  const auto& address = record.address.bytes();
  if (!local) records_ += record.address.is_v4() ? raw(address.data() + 12, 4) : raw(address.data(), address.size());
  if (short_trace) {
    records_ += raw(short_trace->data(), short_trace->size());
  } else {
    append_text(records_, record.trace_id);
  }
}

void BlockPacker::add_path(const domain::CallRecord& record) {
  const bool asked = record.asked_id != nullptr;
  const bool known = record.api_id != nullptr && !record.api_id->empty();
  const std::uint8_t code = asked || known ? record.path.code() : 0;
  records_.push_back(static_cast<char>(asked && code != 0 ? code | kAskedId : code));
  if (asked && code != 0)
    append_number(records_, text(std::string_view(*record.asked_id).substr(0, domain::ApiPath::kIdBytesMax)));
}

std::string BlockPacker::finish() {
  std::string body;
  body.reserve(records_.size() + callers_.size() + 64 * texts_.size() + 32);
  append_signed(body, base_ms_);
  append_number(body, texts_.size());
  for (const std::string& value : texts_) append_text(body, value);
  append_number(body, caller_index_.size());
  body += callers_;
  append_number(body, static_cast<std::uint64_t>(count_));
  body += records_;
  return body;
}

ChainHead empty_chain() { return {0, 0, std::string(64, '0')}; }

domain::JournalBlock seal_block(const ChainHead& head, std::string_view body, std::int64_t first_ms, std::int64_t last_ms,
                                std::int64_t count, std::int64_t removable_before_ms) {
  domain::JournalBlock block;
  block.sequence = head.sequence + 1;
  block.first_ms = first_ms;
  block.last_ms = std::max(last_ms, head.last_ms);
  block.count = count;
  block.previous_hash = head.hash;
  block.records.reserve(body.size() + 24);
  block.records.push_back(kVersion);
  append_signed(block.records, head.last_ms);
  append_signed(block.records, removable_before_ms);
  block.records += body;
  block.hash = block_hash(block);
  return block;
}

std::string block_hash(const domain::JournalBlock& block) {
  // Every part has a fixed length but the last, so no two blocks give the same input.
  std::string numbers;
  for (std::int64_t number : {block.sequence, block.first_ms, block.last_ms, block.count}) {
    const auto bits = static_cast<std::uint64_t>(number);
    for (int shift = 56; shift >= 0; shift -= 8) numbers.push_back(static_cast<char>(bits >> shift));
  }
  crypto::Hasher hasher(crypto::HashAlgorithm::Sha256);
  // The previous hash is read from the store and could have any length: its own hash has not.
  const crypto::Digest256 previous = crypto::sha256_digest(block.previous_hash);
  hasher.update(crypto::as_view(previous)).update(numbers).update(block.records);
  return std::string(hasher.finish_hex().view());
}

namespace {

// Reads a body with its tables.
class BodyReader {
 public:
  BodyReader(ByteReader& bytes, std::uint8_t version) : bytes_(bytes), version_(version) {}

  bool read(std::vector<BlockRecord>& records) {
    base_ms_ = bytes_.signed_number();
    const std::uint64_t text_count = bytes_.number();
    for (std::uint64_t i = 0; i < text_count && bytes_.ok(); ++i) texts_.push_back(bytes_.text());
    const std::uint64_t caller_count = bytes_.number();
    for (std::uint64_t i = 0; i < caller_count && bytes_.ok(); ++i) callers_.push_back(read_caller());
    const std::uint64_t count = bytes_.number();
    for (std::uint64_t i = 0; i < count && bytes_.ok(); ++i) records.push_back(read_record());
    return bytes_.ok() && bytes_.left() == 0;
  }

 private:
  std::string text_at(std::uint64_t index) {
    if (index > texts_.size()) bytes_.fail();
    return index == 0 || index > texts_.size() ? std::string() : std::string(texts_[index - 1]);
  }
  domain::PrincipalFields read_caller() {
    domain::PrincipalFields out;
    for (std::string* part : {&out.type, &out.auth_id, &out.name, &out.run_as, &out.user_id, &out.key_id, &out.key_name}) {
      *part = text_at(bytes_.number());
    }
    return out;
  }
  BlockRecord read_record() {
    BlockRecord out;
    const std::uint8_t flags = bytes_.byte();
    read_origin(out, flags);
    std::string asked_id;
    const domain::ApiPath path = version_ == kFirstVersion ? domain::ApiPath() : read_path(asked_id);
    out.trigger_time_ms = sum(base_ms_, bytes_.signed_number());
    read_duration(out);
    if ((flags & kHasRun) != 0) {
      out.start_time_ms = sum(out.trigger_time_ms, bytes_.signed_number());
      out.queue_us = bytes_.signed_number();
      out.run_us = bytes_.signed_number();
    }
    out.api_id = text_at(bytes_.number());
    out.path = path.text(asked_id.empty() ? out.api_id : asked_id);
    out.func_id = text_at(bytes_.number());
    out.api_version = bytes_.signed_number();
    out.publish_version = bytes_.signed_number();
    const std::uint64_t caller = bytes_.number();
    if (caller > callers_.size()) bytes_.fail();
    out.has_caller = caller != 0 && bytes_.ok();
    if (out.has_caller) out.caller = callers_[caller - 1];
    out.auth_id = text_at(bytes_.number());
    out.status = static_cast<int>(bytes_.signed_number());
    out.error = text_at(bytes_.number());
    out.reason = text_at(bytes_.number());
    if ((flags & kMerged) != 0) out.count = static_cast<std::uint32_t>(bytes_.number());
    out.cached = (flags & kCached) != 0;
    if ((flags & kHasTask) != 0) out.task_id = bytes_.text();
    return out;
  }
  domain::ApiPath read_path(std::string& asked_id) {
    const std::uint8_t code = bytes_.byte();
    const domain::ApiPath path = domain::ApiPath::of_code(code & ~kAskedId);
    if ((code & kAskedId) != 0) asked_id = text_at(bytes_.number());
    if (path.none() && code != 0) bytes_.fail();
    return path;
  }
  void read_duration(BlockRecord& out) {
    if (version_ == kFirstVersion) {
      const std::int64_t duration_ms = bytes_.signed_number();
      out.end_time_ms = sum(out.trigger_time_ms, duration_ms);
      // A record that was never ended has 0 as its end.
      out.duration_us = out.end_time_ms == 0 ? 0 : std::clamp<std::int64_t>(duration_ms, 0, INT64_MAX / 1000) * 1000;
      return;
    }
    out.duration_us = static_cast<std::int64_t>(bytes_.number() & INT64_MAX);
    out.end_time_ms = sum(sum(out.trigger_time_ms, out.duration_us / 1000), bytes_.signed_number());
  }
  void read_origin(BlockRecord& out, std::uint8_t flags) {
    const std::uint8_t method = bytes_.byte();
    if (method > static_cast<std::uint8_t>(domain::Method::Other)) {
      bytes_.fail();
      return;
    }
    out.method = domain::method_name(static_cast<domain::Method>(method));
    domain::Address address;
    if ((flags & kIsV4) != 0) address = domain::Address::v4(bytes_.array<4>());
    if ((flags & kIsV6) != 0) address = domain::Address::v6(bytes_.array<16>());
    out.address = address.text();
    const bool is_short = (flags & kShortTrace) != 0;
    out.trace_id = is_short ? lengthen_trace_id(bytes_.array<16>()) : std::string(bytes_.text());
  }

  ByteReader& bytes_;
  const std::uint8_t version_;
  std::int64_t base_ms_ = 0;
  std::vector<std::string_view> texts_;
  std::vector<domain::PrincipalFields> callers_;
};

base::Error damaged(std::string detail) {
  return {base::Code::DataLoss, "A block of the journal cannot be read. Keep the file and run the verification.",
          std::move(detail)};
}

base::Result<BlockHead> read_head(ByteReader& bytes, std::uint8_t& version) {
  version = bytes.byte();
  if (!bytes.ok()) return damaged("block without bytes");
  if (version != kVersion && version != kFirstVersion)
    return damaged("unknown version " + std::to_string(version) + " of a block");
  BlockHead head;
  head.previous_last_ms = bytes.signed_number();
  head.removable_before_ms = bytes.signed_number();
  if (!bytes.ok()) return damaged("cut in the head of a block");
  return head;
}

}  // namespace

base::Result<BlockHead> decode_block_head(std::string_view bytes) {
  ByteReader reader(bytes);
  std::uint8_t version = 0;
  return read_head(reader, version);
}

base::Result<BlockContent> decode_block(std::string_view bytes) {
  ByteReader reader(bytes);
  BlockContent content;
  std::uint8_t version = 0;
  TRY(content.head, read_head(reader, version));
  if (!BodyReader(reader, version).read(content.records)) return damaged("damaged body of a block");
  return content;
}

}  // namespace funcgate::audit
