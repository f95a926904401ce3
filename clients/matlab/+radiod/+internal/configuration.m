function text = configuration(request)
  % A request as curl reads it.
  %
  % request: url, headers (cell of texts), body ('' for GET), seconds (Inf for a stream), certificates (a file, or '').
  % Returns characters 0 to 255.
  lines = {'silent', 'no-buffer', 'include', 'globoff', 'suppress-connect-headers', 'connect-timeout = 10', ...
           ['url = ' quoted(request.url)], 'header = "Expect:"'};
  for i = 1:numel(request.headers)
    lines{end + 1} = ['header = ' quoted(request.headers{i})]; %#ok<AGROW>
  end
  if ~isempty(request.body)
    lines{end + 1} = 'header = "Content-Type: application/json"';
    lines{end + 1} = ['data-raw = ' quoted(request.body)];
  end
  if isfinite(request.seconds)
    lines{end + 1} = sprintf('max-time = %.3f', request.seconds);
  end
  if ~isempty(request.certificates)
    lines{end + 1} = ['cacert = ' quoted(request.certificates)];
  end
  text = radiod.internal.to_bytes(sprintf('%s\n', lines{:}));
end

function text = quoted(text)
  % A backslash first, or it would be that of the others.
  text = strrep(strrep(text, '\', '\\'), '"', '\"');
  text = strrep(strrep(text, char(10), '\n'), char(13), '\r');
  text = ['"' text '"'];
end
