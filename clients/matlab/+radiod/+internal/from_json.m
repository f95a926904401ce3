function value = from_json(text)
  % The value of a JSON text.
  %
  % Octave ends a text at NUL. In JSON's dialect of WAMP a text that begins with NUL is base64: it comes without it.
  % Other NULs become U+FFFD.
  mark = '\u0000';
  if ~isempty(strfind(text, mark)) %#ok<STREMP>
    % Behind a backslash the quotation mark is part of a text, and the backslash of a mark may be, too.
    text = regexprep(text, '(?<!\\)"\\u0000', '"');
    text = regexprep(text, '(?<!\\)((?:\\\\)*)\\u0000', '$1\\ufffd');
  end
  value = jsondecode(text);
end
