function bytes = to_bytes(text)
  % Text as UTF-8, in characters 0 to 255. Octave's texts are that.
  if exist('OCTAVE_VERSION', 'builtin')
    bytes = text;
  else
    bytes = char(unicode2native(text, 'UTF-8'));
  end
end
