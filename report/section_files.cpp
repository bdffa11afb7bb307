#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace omnifit::report {
namespace {

constexpr std::size_t kShortHash = 12;

std::string path_html(const ExportedFile& file, const std::string& page_path) {
  const std::string name = escape_html(file.path);
  const auto href = relative_href(file.path, page_path);
  return href ? fmt::format("<a href=\"{}\">{}</a>", *href, name) : name;
}

std::string proof_html(const ExportedFile& file) {
  const char* sign = file.proof == "proven" ? "good" : file.proof == "not_proven" ? "bad" : "none";
  return fmt::format("<span class=\"{}\">{}</span>", sign, escape_html(proof_text(file)));
}

/// "2026-01-31T12:34:56Z" as "2026-01-31 12:34:56".
std::string time_html(std::string time) {
  if (time.empty()) return "\u2013";
  if (time.size() == 20 && time[10] == 'T' && time.back() == 'Z') {
    time[10] = ' ';
    time.pop_back();
  }
  return escape_html(time);
}

/// Files in the order of the networks' table, files of budgets it does not have last.
std::vector<ExportedFile> in_order_of_networks(const PageContext& page) {
  std::vector<ExportedFile> files = page.data.exports;
  const auto place = [&page](const ExportedFile& file) {
    return std::find_if(page.rows.begin(), page.rows.end(),
                        [&](const ResultRow& row) { return row.budget == file.budget; }) -
           page.rows.begin();
  };
  std::stable_sort(files.begin(), files.end(), [&](const ExportedFile& a, const ExportedFile& b) {
    return place(a) < place(b);
  });
  return files;
}

std::string state_html(const StageRun& run) {
  if (run.stage == "report" && run.state == "running") return "this page";
  std::string state = run.state;
  std::replace(state.begin(), state.end(), '_', ' ');
  return fmt::format("<span class=\"{}\">{}</span>", run.state == "done" ? "good" : "bad",
                     escape_html(state)) +
         (run.message.empty() ? "" : fmt::format("<small>{}</small>", escape_html(run.message)));
}

}  // namespace

std::string files_section(const PageContext& page) {
  constexpr const char* kHeading = "Files to take away";
  const ReportData& data = page.data;
  if (data.exports.empty()) {
    return section("files", kHeading, missing_from_stage(data, "exported files", "export"));
  }
  std::vector<HtmlRow> rows;
  for (const ExportedFile& file : in_order_of_networks(page)) {
    rows.push_back(
        {{budget_html(file.budget), escape_html(file.format), path_html(file, data.page_path),
          unbroken(core::format_bytes(static_cast<double>(file.size_bytes))),
          fmt::format("<code title=\"{}\">{}</code>", escape_html(file.sha256),
                      escape_html(file.sha256.substr(0, kShortHash))),
          proof_html(file)},
         ""});
  }
  const std::string body =
      html_table({{"Network", false},
                  {"Format", false},
                  {"File", false},
                  {"Size", true},
                  {"SHA-256", false},
                  {"Proof", false}},
                 rows) +
      "<p class=\"note\">Links are relative to this page. A file is proven if running it on real "
      "images "
      "gives the supernet\u2019s own logits; the difference is the largest relative one.</p>\n";
  return section("files", kHeading, body);
}

std::string stages_section(const PageContext& page) {
  constexpr const char* kHeading = "Stages and time";
  if (page.data.stages.empty()) {
    return section("stages", kHeading, "<p class=\"missing\">No stage of this job has run.</p>\n");
  }
  std::vector<HtmlRow> rows;
  double total_s = 0.0;
  for (const StageRun& run : page.data.stages) {
    total_s += run.duration_s;
    rows.push_back(
        {{escape_html(run.stage), state_html(run), unbroken(core::format_duration(run.duration_s)),
          time_html(run.started_at), time_html(run.finished_at)},
         ""});
  }
  rows.push_back({{"all stages", "", unbroken(core::format_duration(total_s)), "", ""}, "total"});
  return section("stages", kHeading,
                 html_table({{"Stage", false},
                             {"State", false},
                             {"Time spent", true},
                             {"Started (UTC)", false},
                             {"Finished (UTC)", false}},
                            rows));
}

std::string reproduce_section(const PageContext& page) {
  constexpr const char* kHeading = "How to reproduce";
  if (!page.data.job) {
    return section("reproduce", kHeading,
                   "<p class=\"missing\">The project file holds no job for this run.</p>\n");
  }
  const JobInfo& job = *page.data.job;
  std::string body =
      fact_list({{"omnifit", fmt::format("{}, revision {}", job.omnifit_version, job.git_revision)},
                 {"LibTorch", job.libtorch_version},
                 {"Job", job.hash},
                 {"Seed", job.seed}});
  body +=
      "<p>Save the job below as <code>job.yaml</code> and run</p>\n<pre>omnifit run "
      "job.yaml</pre>\n"
      "<p>The same seed, thread count and library versions give the same weights on a CPU; "
      "latencies are "
      "measured anew.</p>\n";
  body += fmt::format(
      "<details><summary>The effective job: defaults, file and command line together</summary>\n"
      "<pre>{}</pre>\n</details>\n",
      escape_html(job.yaml, true));
  if (!job.source.empty()) {
    body += fmt::format(
        "<details><summary>The job file as given</summary>\n<pre>{}</pre>\n</details>\n",
        escape_html(job.source, true));
  }
  return section("reproduce", kHeading, body);
}

}  // namespace omnifit::report
