# Script mode: cmake -DSOURCE_DIR=… -DGIT_EXECUTABLE=… -DOMNIFIT_VERSION=… -DTEMPLATE=… -DOUTPUT=… -P
#
# Fills TEMPLATE with the version and the short git revision of SOURCE_DIR: "+" marks changed or
# untracked files, "unknown" a tree that is not a git checkout of its own. OUTPUT is only touched
# when its content changes, so an unchanged tree compiles nothing.
set(OMNIFIT_GIT_REVISION "unknown")
# The check keeps an unpacked source archive from taking the revision of a repository around it.
if(GIT_EXECUTABLE AND EXISTS "${SOURCE_DIR}/.git")
  execute_process(
    COMMAND "${GIT_EXECUTABLE}" -C "${SOURCE_DIR}" rev-parse --short=12 HEAD
    OUTPUT_VARIABLE revision RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed)
    execute_process(
      COMMAND "${GIT_EXECUTABLE}" -C "${SOURCE_DIR}" --no-optional-locks status --porcelain
      OUTPUT_VARIABLE changes RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(failed OR changes)
      string(APPEND revision "+")
    endif()
    set(OMNIFIT_GIT_REVISION "${revision}")
  endif()
endif()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
