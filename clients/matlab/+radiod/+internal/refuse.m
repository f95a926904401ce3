function refuse(answer, url)
  % Raise what an answer without a result means. url: of a server that may not have answered.
  %
  % Raises: radiod:refused: the server says no; radiod:timeout: no answer in time; radiod:disconnected: no answer.
  if answer.status > 0
    error('radiod:refused', '%s (HTTP %d)', reason(answer.text), answer.status);
  elseif answer.code == 28
    error('radiod:timeout', 'no answer from %s in time', url);
  end
  known = {6, 'there is no machine of this name'; 7, 'nobody listens there'; 35, 'TLS failed'; ...
           52, 'it hung up without an answer'; 56, 'the connection broke'; 60, 'its certificate is not trusted'; ...
           127, 'curl is not installed'; 1, 'curl does not know this kind of address'};
  said = 'the connection broke';
  for i = 1:size(known, 1)
    if known{i, 1} == answer.code
      said = known{i, 2};
    end
  end
  error('radiod:disconnected', 'no answer from %s: %s (curl: %d)', url, said, answer.code);
end

function text = reason(text)
  % What a refusal says: its "error", and the text or word beside it.
  try
    told = radiod.internal.from_json(text);
    text = told.error;
    if isfield(told, 'args') && ~isempty(told.args)
      text = [text ': ' radiod.internal.shown(told.args)];
    elseif isfield(told, 'reason')
      text = [text ' (' told.reason ')'];
    end
  catch
    text = strtrim(text);
  end
end
