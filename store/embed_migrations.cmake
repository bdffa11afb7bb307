# Script mode: cmake -DFOLDER=… -DOUTPUT=… -P
#
# Writes OUTPUT, the definition of omnifit::store::detail::migrations(), from the files NNNN_name.sql of FOLDER. Their
# numbers must run 0001, 0002, … without a gap: the number is the user_version a file has after them.
file(GLOB files "${FOLDER}/*.sql")
list(SORT files)
set(entries "")
set(version 0)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME_WE)
  math(EXPR version "${version} + 1")
  string(REGEX MATCH "^[0-9][0-9][0-9][0-9]_" number "${name}")
  string(REGEX REPLACE "^0*([0-9]*)_$" "\\1" number "${number}")
  if(NOT number STREQUAL "${version}")
    message(FATAL_ERROR "${file}: migrations are numbered without gaps, expected number ${version}")
  endif()
  file(READ "${file}" sql)
  string(FIND "${sql}" ")omnifit_sql\"" end)
  if(NOT end EQUAL -1)
    message(FATAL_ERROR "${file}: contains the end mark of the generated literal")
  endif()
  string(APPEND entries "    {${version}, \"${name}\", R\"omnifit_sql(${sql})omnifit_sql\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "#include \"store/detail/migrations.hpp\"

namespace omnifit::store::detail {

std::span<const Migration> migrations() {
  static const Migration kMigrations[] = {
${entries}  };
  return kMigrations;
}

}  // namespace omnifit::store::detail
")
