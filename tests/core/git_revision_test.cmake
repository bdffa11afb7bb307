# cmake -DSCRIPT=… -DGIT_EXECUTABLE=… -DWORK_DIR=… -P: what cmake/GitRevision.cmake makes of a folder
# without git, a clean checkout, a changed one, and a second run without any change.
file(REMOVE_RECURSE "${WORK_DIR}")
set(tree "${WORK_DIR}/tree")
set(output "${WORK_DIR}/output")
file(WRITE "${WORK_DIR}/template" "@OMNIFIT_VERSION@ @OMNIFIT_GIT_REVISION@")
file(WRITE "${tree}/file" "content")

function(expect_output pattern)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" "-DSOURCE_DIR=${tree}" "-DGIT_EXECUTABLE=${GIT_EXECUTABLE}"
      -DOMNIFIT_VERSION=1.2.3 "-DTEMPLATE=${WORK_DIR}/template" "-DOUTPUT=${output}" -P "${SCRIPT}"
    COMMAND_ERROR_IS_FATAL ANY)
  file(STRINGS "${output}" found)  # configure_file may end the last line
  if(NOT found MATCHES "^${pattern}$")
    message(FATAL_ERROR "expected '${pattern}', got '${found}'")
  endif()
endfunction()

function(git)
  execute_process(
    COMMAND "${GIT_EXECUTABLE}" -C "${tree}" -c user.name=test -c user.email=test@example.org
      -c commit.gpgsign=false ${ARGN}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

expect_output("1\\.2\\.3 unknown")
git(init -q)
expect_output("1\\.2\\.3 unknown")  # no commit yet
git(add file)
git(commit -q -m "Begin")
expect_output("1\\.2\\.3 [0-9a-f]+")

file(TIMESTAMP "${output}" before "%s")
execute_process(COMMAND "${CMAKE_COMMAND}" -E sleep 1.1)
expect_output("1\\.2\\.3 [0-9a-f]+")
file(TIMESTAMP "${output}" after "%s")
if(NOT before STREQUAL after)
  message(FATAL_ERROR "the output was written again although nothing changed")
endif()

file(WRITE "${tree}/new" "untracked")
expect_output("1\\.2\\.3 [0-9a-f]+\\+")
file(REMOVE "${tree}/new")
file(WRITE "${tree}/file" "changed")
expect_output("1\\.2\\.3 [0-9a-f]+\\+")
file(REMOVE_RECURSE "${WORK_DIR}")
