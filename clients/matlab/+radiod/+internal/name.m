function text = name(text)
  % A name as characters, also of MATLAB's string. Raises: radiod:argument: it is none.
  text = radiod.internal.chars(text);
  if ~ischar(text) || isempty(text)
    error('radiod:argument', 'expected a name');
  end
end
