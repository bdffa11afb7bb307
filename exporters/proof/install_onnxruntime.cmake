# Script mode: cmake -DNPM=… -DFOLDER=… -DVERSION=… -P
#
# Installs onnxruntime-node, the independent judge of exported ONNX files, into FOLDER once. Never
# fails: without it everything works and exports are reported as "not proven". It is tried again at
# the next build. The package carries its CPU libraries, so its install script, which only downloads
# those for CUDA, need not run.
set(stamp "${FOLDER}/installed")
set(package "onnxruntime-node@${VERSION}")
if(EXISTS "${stamp}")
  file(READ "${stamp}" installed)
  if(installed STREQUAL package)
    return()
  endif()
endif()
set(consequence "ONNX exports will be reported as not proven")
if(NOT NPM)
  message(STATUS "npm was not found: ${package} is not installed; ${consequence}")
  return()
endif()

message(STATUS "Installing ${package} into ${FOLDER} (about 300 MB)")
file(MAKE_DIRECTORY "${FOLDER}")
file(REMOVE "${stamp}")
file(REMOVE_RECURSE "${FOLDER}/node_modules")
# Keeps npm in this folder: without it, it would look for a project in the folders above.
file(WRITE "${FOLDER}/package.json" "{\"private\": true}\n")
execute_process(
  COMMAND "${NPM}" install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund
    --loglevel=error --fetch-retries=1 "${package}"
  WORKING_DIRECTORY "${FOLDER}"
  RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 600)
if(failed)
  string(STRIP "${output}" output)
  message(STATUS "npm could not install ${package} (${failed}): ${output}")
  message(STATUS "${consequence}; the next build tries again")
  return()
endif()
file(WRITE "${stamp}" "${package}")
